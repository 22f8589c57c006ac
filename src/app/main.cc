#include "cli/cli.h"

int main(int argc, char** argv) { return tanhui::cli::main(argc, argv); }
