#!/usr/bin/env bash
# Cross-compile the extensions for 64-bit Arm and run the tests there, under an emulator, with every tier
# that such a machine has. Usage: tests/run_neon.sh [pytest arguments]
#
# Needs Debian or a relative of it with the packages qemu-user, gcc-aarch64-linux-gnu and
# libc6-dev-arm64-cross, and a Python environment with Cython, setuptools and pip active. An Arm Python is
# downloaded from the sources that apt knows, and its packages from PyPI, all into a temporary folder that is
# removed in the end: nothing is installed. BPETOK_NEON_FOLDER=... keeps them there for the next run.
#
# An emulator is slow: by default these are the tests of what the tiers do, with few examples.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

missing=()
command -v qemu-aarch64 > /dev/null || missing+=(qemu-user)
command -v aarch64-linux-gnu-gcc > /dev/null || missing+=(gcc-aarch64-linux-gnu)
[ -e /usr/aarch64-linux-gnu/include/stdio.h ] || missing+=(libc6-dev-arm64-cross)
command -v apt-get > /dev/null || { echo "$0: this needs Debian's apt-get" >&2; exit 2; }
if [ ${#missing[@]} -gt 0 ]; then
    echo "$0: first: apt-get install ${missing[*]}" >&2
    exit 2
fi
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
work=${BPETOK_NEON_FOLDER:-$copy/arm64}
arm=$work/root site=$work/site

# An Arm Python with all it depends on, by an apt that believes in an empty Arm machine.
if [ ! -e "$work/ready" ]; then
    mkdir -p "$work"/apt/{lists,archives}/partial "$arm" "$site"
    : > "$work/apt/status"
    apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=
         -o "Dir::State=$work/apt" -o "Dir::State::status=$work/apt/status" -o "Dir::Cache=$work/apt"
         -o Debug::NoLocking=1)
    "${apt[@]}" update
    "${apt[@]}" install --yes --download-only --no-install-recommends libpython3-dev python3-minimal libstdc++6
    for package in "$work"/apt/archives/*.deb; do dpkg-deb --extract "$package" "$arm"; done
fi
python_name=$(basename "$arm"/usr/bin/python3.*[0-9])
if [ ! -e "$work/ready" ]; then
    python -m pip install --quiet --target "$site" --only-binary=:all: --implementation cp \
        --python-version "${python_name#python}" --platform manylinux2014_aarch64 \
        --platform manylinux_2_28_aarch64 \
        numpy regex click rich pytest pytest-benchmark hypothesis tiktoken
    touch "$work/ready"
fi

cp -r "$root"/{src,tests,docs,benchmarks,setup.py,pyproject.toml,mkdocs.yml,LICENSE} "$root"/*.md "$copy"
cd "$copy"
rm -f src/bpetok/_*.so src/bpetok/_*.c
headers="-I$arm/usr/include/$python_name -I$arm/usr/include"
CC="aarch64-linux-gnu-gcc" LDSHARED="aarch64-linux-gnu-gcc -shared" CFLAGS="$headers" \
    SETUPTOOLS_EXT_SUFFIX=".cpython-${python_name//[a-z.]/}-aarch64-linux-gnu.so" \
    python setup.py -q build_ext --inplace

# Tests start processes of sys.executable, which therefore is a script that starts the emulator again.
cat > "$copy/python" <<END
#!/bin/sh
exec qemu-aarch64 -L "$arm" -0 "$copy/python" "$arm/usr/bin/$python_name" "\$@"
END
chmod +x "$copy/python"
export PYTHONHOME="$arm/usr" PYTHONPATH="$copy/src:$site" BPETOK_TEST_EXAMPLES="${BPETOK_TEST_EXAMPLES:-10}"
if [ $# -eq 0 ]; then
    set -- tests/property tests/differential/test_tiktoken_ids.py \
        tests/unit/test_{cpu,tiers,scan,text,merge,vocabulary,decode,tokenizer}*.py
fi
for tier in neon scalar; do
    echo "== BPETOK_FORCE_CPU=$tier"
    BPETOK_FORCE_CPU=$tier ./python -m pytest -p no:cacheprovider -q "$@"
done
