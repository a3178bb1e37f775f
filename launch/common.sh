# What the launchers share; sourced, never run.
#
# A launcher declares its settings with `setting NAME default "what it is"`: each is a flag and an environment variable
# (--zone, RSTAR_ZONE), of which the flag counts. `--dry-run` prints every command that would change something instead of
# running it.

source "$(dirname "${BASH_SOURCE[0]}")/say.sh"

settings=()
declare -A described
dry_run=

# setting NAME DEFAULT WORDS: DEFAULT "!" has to be given.
setting() {
    local variable=RSTAR_$1
    settings+=("$1")
    described[$1]=$3
    declare -g "$1=${!variable-$2}"
}

# Flags into variables; what is left over goes to `rest`.
read_flags() {
    rest=()
    while (($#)); do
        local name
        case $1 in
        --dry-run) dry_run=1 ;;
        --help | -h) usage && exit ;;
        --) shift && rest+=("$@") && break ;;
        --*)
            name=${1#--}
            name=${name//-/_}
            name=${name^^}
            [[ -v described[$name] ]] || fail "There is no option $1; --help names those that there are."
            (($# > 1)) || fail "$1 needs a value."
            declare -g "$name=$2"
            shift
            ;;
        *) rest+=("$1") ;;
        esac
        shift
    done
    local name
    for name in "${settings[@]}"; do
        [[ "${!name}" != '!' ]] || fail "Give --$(flag_of "$name") (or RSTAR_$name): ${described[$name]}."
    done
}

flag_of() {
    local name=${1,,}
    echo "${name//_/-}"
}

# The comment at the head of the launcher, and its settings.
usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    local name
    for name in "${settings[@]}"; do
        printf '  --%-18s %s%s\n' "$(flag_of "$name")" "${described[$name]}" \
            "$([[ "${!name}" == '!' || -z "${!name}" ]] || echo " (${!name})")"
    done
}

# Run a command that changes something, or say what it would be.
run() {
    if [[ -n "$dry_run" ]]; then
        printf '%q ' "$@" | sed 's/ $//'
        echo
    else
        "$@"
    fi
}

# run_with TEXT COMMAND...: with a text as standard input; it is shown in a dry run.
run_with() {
    local text=$1
    shift
    if [[ -n "$dry_run" ]]; then
        printf '%q ' "$@"
        printf '<<END\n%s\nEND\n' "$text"
    else
        "$@" <<<"$text"
    fi
}

# wants NAME...: settings that this action cannot do without.
wants() {
    local name
    for name in "$@"; do
        [[ -n "${!name}" ]] || fail "Give --$(flag_of "$name") (or RSTAR_$name): ${described[$name]}."
    done
}

# need PROGRAM WORDS: a program that is not there ends the launcher, but a dry run does without.
need() {
    [[ -n "$dry_run" ]] || command -v "$1" >/dev/null || fail "$1 was not found in PATH; $2"
}

# Secrets that a run may need. They go to machines through standard input and files of mode 600, never through an
# argument list, and a dry run tells only which of them are set.
SECRETS=(HF_TOKEN OPENAI_API_KEY)

secret_lines() {
    local name
    for name in "${SECRETS[@]}"; do
        if [[ -n "${!name:-}" ]]; then
            printf 'export %s=%q\n' "$name" "$([[ -n "$dry_run" ]] && echo '(set, not shown)' || echo "${!name}")"
        fi
    done
}

# host_packages: what a machine of Google's needs besides this repository, a command a line: Python and the bucket as a
# folder. Another installation may be going on while a machine starts.
host_packages() {
    local install='sudo apt-get -o DPkg::Lock::Timeout=600 install -y'
    local key='https://packages.cloud.google.com/apt/doc/apt-key.gpg' lists=/etc/apt/sources.list.d/gcsfuse.list
    local source='deb https://packages.cloud.google.com/apt gcsfuse-jammy main'
    cat <<END
command -v python3.12 || { sudo add-apt-repository -y ppa:deadsnakes/ppa && $install python3.12-venv; }
command -v gcsfuse || { echo "$source" | sudo tee $lists && curl -fsSL $key | sudo tee /etc/apt/trusted.gpg.d/gcsfuse.asc >/dev/null && sudo apt-get update && $install gcsfuse; }
END
}

mount_bucket() {
    echo "mountpoint -q bucket || gcsfuse --implicit-dirs --rename-dir-limit 100000 $(printf %q "$BUCKET") bucket"
}
