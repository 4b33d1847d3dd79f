# Sourced by bin/lethe and bin/lethe-dev; needs $here. Installs once: a stamp holds the lock file's checksum and what
# was installed ("development" contains "product"), so a second start installs nothing and a changed lock installs anew.
# Two starts at the same moment: one installs, the other waits for it (mkdir is atomic).

ensure_installed() {
  wanted=$1
  stamp="$here/node_modules/.lethe-installed"
  sum=$(cksum < "$here/package-lock.json")
  installed_is_enough && return 0

  lock="$here/.install-lock"
  waited=0
  until mkdir "$lock" 2>/dev/null; do
    holder=$(cat "$lock/pid" 2>/dev/null || echo '')
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then rm -rf "$lock"; continue; fi
    waited=$((waited + 1))
    if [ "$waited" -gt 600 ]; then
      echo "lethe: another installation seems stuck; remove $lock and try again" >&2
      exit 1
    fi
    sleep 1
  done
  echo $$ > "$lock/pid"
  trap 'rm -rf "$lock"' EXIT INT TERM
  if ! installed_is_enough; then install_now; fi
  rm -rf "$lock"
  trap - EXIT INT TERM
}

installed_is_enough() {
  [ -f "$stamp" ] || return 1
  IFS= read -r was < "$stamp" || return 1
  case "$was" in
    "$sum development") return 0 ;;
    "$sum product") [ "$wanted" = product ] ;;
    *) return 1 ;;
  esac
}

install_now() {
  if ! command -v npm >/dev/null 2>&1; then
    echo "lethe: npm was not found. Install Node.js 18 or newer with npm (it is used only to install; the project brings its own runtime)." >&2
    exit 1
  fi
  omit=''
  if [ "$wanted" = product ]; then omit='--omit=dev'; fi
  echo "lethe: installing what the $wanted needs (once) ..." >&2
  # shellcheck disable=SC2086  # $omit is empty or one word
  if ! (cd "$here" && npm ci $omit --loglevel=error --no-audit --no-fund >&2); then
    echo "lethe: npm ci failed; see its message above" >&2
    exit 1
  fi
  if ! "$here/node_modules/.bin/node" -e 0 2>/dev/null; then
    echo "lethe: the bundled runtime does not start here:" >&2
    "$here/node_modules/.bin/node" -e 0 >&2 || true
    echo "lethe: if it names libatomic.so.1, install your system's libatomic package (Debian: apt-get install libatomic1)" >&2
    exit 1
  fi
  echo "$sum $wanted" > "$stamp"
  make_start_image
}

# Where it cannot be made the ordinary start does the same in more time; an empty file says not to try again.
make_start_image() {
  image_folder="$here/node_modules/.cache/lethe"
  mkdir -p "$image_folder" 2>/dev/null && [ -w "$image_folder" ] || return 0
  "$here/node_modules/.bin/node" --disable-warning=ExperimentalWarning "$here/scripts/build-start-image.ts" >/dev/null 2>&1 ||
    : > "$image_folder/start-image.blob"
}
