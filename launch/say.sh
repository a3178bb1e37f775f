# Words to the person at the terminal; sourced, never run.

say() {
    echo "$*" >&2
}

# fail WORDS... [EXIT CODE]: the last word, if it is a number, is the exit code.
fail() {
    local code=2
    if [[ "${!#}" =~ ^[0-9]+$ ]]; then
        code=${!#}
        set -- "${@:1:$#-1}"
    fi
    say "$*"
    exit "$code"
}
