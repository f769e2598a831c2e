# SPDX-License-Identifier: Apache-2.0
#
# What the scripts share; source it from the root of the tree.

say() { printf '%s\n' "$*" >&2; }

# Set up a build directory where there is none, and build; all output goes to BUILD.log, shown only where it fails.
#   build DIR "CC" meson-options...
build() {
    local directory=$1 compiler=$2 log=$1.log
    shift 2
    if [ ! -e "$directory/build.ninja" ]; then
        # A half-made directory is made anew; build/ may hold a stamp of script/bootstrap, which meson ignores.
        CC=$compiler meson setup "$directory" "$@" >"$log" 2>&1 </dev/null || { tail -30 "$log" >&2; return 1; }
    fi
    ninja -C "$directory" >"$log" 2>&1 </dev/null || { grep -E -A12 'error:|FAILED|ERROR' "$log" | head -60 >&2; return 1; }
}

# The build that is measured and shown.
build_release() {
    if [ -e build/build.ninja ] && ! meson introspect --buildoptions build 2>/dev/null |
        /usr/bin/python3 -c 'import json,sys; sys.exit(0 if any(o["name"]=="buildtype" and o["value"]=="release" for o in json.load(sys.stdin)) else 1)'; then
        meson configure build -Dbuildtype=release >/dev/null || return 1
    fi
    build build gcc --buildtype=release
}

# A port of the loopback that is free now.
free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Wait until the server works: devices are answered at PORT, and operators at DIR. The pid is its supervisor's.
#   wait_for_server PID PORT DIR
wait_for_server() {
    local i
    for i in $(seq 400); do
        kill -0 "$1" 2>/dev/null || return 1
        if curl -sf -o /dev/null "http://127.0.0.1:$2/scep/device?operation=GetCACaps" &&
            build/cli/muster --dir "$3" status >/dev/null 2>&1; then
            return 0
        fi
        sleep 0.05
    done
    return 1
}
