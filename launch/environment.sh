# The Python environment that local.sh and test.sh share; sourced, never run.
#
#   prepare_environment ROOT [EXTRA]
#
# makes ROOT/.venv and installs the package there in editable mode. A finished installation leaves a stamp with what
# it depends on (Python's version, where the repository lies, setup.py), so that the next start has nothing to do.
# The stamp goes before anything is changed and comes back last: without one, whatever lies in .venv is taken for a
# broken attempt.

source "$(dirname "${BASH_SOURCE[0]}")/say.sh"

prepare_environment() {
    local root=$1 extra=${2:-}
    is_installed "$root" "$extra" && return
    trap 'fail "Interrupted. Start again to go on; what is downloaded already is kept." 130' INT
    exec 9<"$root/setup.py"
    wait_for_turn
    if ! is_installed "$root" "$extra"; then
        make_environment "$root"
        install_package "$root" "$extra"
    fi
    exec 9<&-
    trap - INT
}

# Whether .venv holds this very package with this extra.
is_installed() {
    local root=$1 extra=$2
    [[ -f "$root/.venv/installed-$extra" && "$(<"$root/.venv/installed-$extra")" == "$(stamp "$root")" ]]
}

stamp() {
    printf '%s\n' "$1" "$("$1/.venv/bin/python" --version 2>&1)" "$(<"$1/setup.py")"
}

# Two starts at once: the second one waits, and then finds everything done.
wait_for_turn() {
    command -v flock >/dev/null || return 0
    flock -n 9 && return
    say "Another start is installing; waiting for it."
    flock 9
}

make_environment() {
    local root=$1 python
    if compgen -G "$root/.venv/installed-*" >/dev/null && "$root/.venv/bin/python" -c '' 2>/dev/null; then
        return # whole, but setup.py or an extra is new: pip brings it up to date
    fi
    if [[ -e "$root/.venv" && ! -e "$root/.venv/made_by_launch" ]]; then
        fail "$root/.venv exists, but this script did not make it; move it away and start again."
    fi
    python=$(find_python) || fail "Python 3.11 or 3.12 with its venv module is needed, and none was found in PATH" \
        "(on Debian and Ubuntu: apt install python3-venv)."
    say "Making .venv with $("$python" --version) ($python)."
    rm -rf "$root/.venv"
    mkdir "$root/.venv"
    touch "$root/.venv/made_by_launch"
    "$python" -m venv "$root/.venv" || fail "Python could not make the environment; its words stand above."
}

# The first interpreter in PATH that really runs (a version manager's shim may not), has a fitting version, and can make
# environments.
find_python() {
    local name candidate
    local check='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))'
    for name in python3.12 python3.11 python3 python; do
        while IFS= read -r candidate; do
            "$candidate" -c "$check" >/dev/null 2>&1 </dev/null && echo "$candidate" && return
        done < <(type -aP "$name")
    done
    return 1
}

install_package() {
    local root=$1 extra=$2 log=$1/.venv/install.log
    say "Installing the package and what it needs (once; a few minutes)."
    rm -f "$root"/.venv/installed-*
    if ! pip_install "$root" "$extra" 2>&1 | tee "$log" | show_progress >&2; then
        grep -i error "$log" | tail -n 3 >&2 || true
        fail "The installation did not finish: no connection, or no space? pip's last words stand above, all of them" \
            "in $log. Start again to go on; what is downloaded already is kept."
    fi
    stamp "$root" >"$root/.venv/installed-"
    [[ -z "$extra" ]] || stamp "$root" >"$root/.venv/installed-$extra"
    say "Installed."
}

pip_install() {
    local root=$1 extra=$2
    "$root/.venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off \
        --editable "$root${extra:+[$extra]}"
}

# One short line for each file that pip fetches.
show_progress() {
    awk '/metadata/ { next }
         /^ *(Downloading|Processing) / { sub(/.*\//, "", $2); print "  " $2; fflush() }
         /^ *Using cached / { print "  " $3; fflush() }
         /^Installing collected packages/ { print "  unpacking all of them"; fflush() }'
}
