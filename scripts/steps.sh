# scripts/steps.sh: what ./start, ./test and scripts/install share: saying what happens, and running a step with its output in a log.
# Sourced by sh from the repository's root.

export LC_ALL=C.UTF-8  # a bare container has no other locale

say() { printf '%s\n' "$*"; }

fail() {  # what happened; what to do now
  printf '\nfailed: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'to mend: %s\n' "$2" >&2
  exit 1
}

# step TITLE LOG COMMAND…: runs quietly with a sign of life; when it fails, shows the end of the log and returns 1.
step() {
  step_title=$1 step_log=$2
  shift 2
  mkdir -p "$(dirname "$step_log")"
  step_began=$(date +%s)
  [ -t 1 ] || say "$step_title …"
  "$@" >"$step_log" 2>&1 </dev/null &
  step_pid=$!
  trap 'kill "$step_pid" 2>/dev/null; exit 130' INT TERM
  step_seconds=0 step_word=60
  while kill -0 "$step_pid" 2>/dev/null; do
    sleep "$([ "$step_seconds" -lt 2 ] && echo 0.1 || echo 1)"
    step_seconds=$(($(date +%s) - step_began))
    [ ! -t 1 ] || printf '\r\033[K%s … %ss  %.70s' "$step_title" "$step_seconds" "$(tail -c 300 "$step_log" | tr '\r' '\n' | tail -n 1)"
    if [ ! -t 1 ] && [ "$step_seconds" -ge "$step_word" ]; then  # in a file or in CI: one line a minute
      say "  $step_seconds s  $(tail -n 1 "$step_log" | cut -c1-100)"
      step_word=$((step_word + 60))
    fi
  done
  if wait "$step_pid"; then
    step_status=0
  else
    step_status=1
  fi
  trap - INT TERM
  [ ! -t 1 ] || printf '\r\033[K%s: %ss\n' "$step_title" "$step_seconds"
  if [ "$step_status" -ne 0 ]; then
    say "--- the end of $step_log ---" >&2
    head -n -25 "$step_log" | grep -a -n -m 12 -E 'error:|Error |FAILED|^E: ' >&2 || true  # the first errors usually say more than the last
    tail -n 25 "$step_log" >&2
    say "---" >&2
  fi
  return "$step_status"
}

# configure PRESET: once; afterwards ninja itself notices changed CMake files and new sources.
configure() {
  if [ -f "build/$1/CMakeCache.txt" ] && ! grep -qx "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "build/$1/CMakeCache.txt"; then
    say "build/$1 was configured in another folder: starting it afresh"
    rm -rf "build/$1"
  fi
  [ ! -f "build/$1/build.ninja" ] || return 0
  step "configuring ($1)" "build/logs/configure-$1.log" cmake --preset "$1" ||
    fail "cmake could not configure preset $1" "read build/logs/configure-$1.log; if a library was not found, run scripts/install; rm -rf build/$1 starts afresh"
}

# build PRESET [TARGET…]
build() {
  build_preset=$1
  shift
  step "building ($build_preset)" "build/logs/build-$build_preset.log" ninja -C "build/$build_preset" -j "${JOBS:-$(nproc)}" "$@" ||
    fail "the build of preset $build_preset" "the compiler's words are above and in build/logs/build-$build_preset.log"
}
