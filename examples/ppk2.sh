#!/bin/sh
# Runs examples/ppk2.yaml against a simulated PPK2, a process of its own on a pseudo terminal that knows what
# it sends: a board with a mean of 2.162 mA at 3.3 V, so that two seconds of it are 14.27 mJ.
#
#   examples/ppk2.sh
cd "$(dirname "$0")/.." || exit 1
kelvin="scripts/kelvin"
bench=$(mktemp)
# Builds what is missing first: the simulator's time begins when it is there.
$kelvin --version >/dev/null || exit
$kelvin simulate ppk2 --for '10 min' >"$bench" &
simulator=$!
trap 'kill $simulator 2>/dev/null; rm -f "$bench"' EXIT
until grep -q simulated-ppk2: "$bench"; do
  kill -0 $simulator 2>/dev/null || exit 1
  sleep 0.1
done
$kelvin run examples/ppk2.yaml --bench "$bench" --board simulated "$@"
