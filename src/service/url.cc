// Boost.URL, compiled here once.
#include <boost/url/src.hpp>
