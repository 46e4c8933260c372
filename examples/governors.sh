#!/bin/sh
# Compares governors on two virtual boards at once, and freezes one of them in the middle: its run notices,
# power cycles it, and goes on.
#
#   scripts/virtual-bench with x86-a x86-b -- examples/governors.sh
cd "$(dirname "$0")/.." || exit 1
kelvin="scripts/kelvin"
bench="--bench examples/virtual-bench.yaml"
guests=${KELVIN_VIRTUAL_BENCH:-.build/virtual-bench}
runs=runs/governors-$(date +%Y-%m-%dT%H-%M-%S)
mkdir -p "$runs"

$kelvin run examples/governors.yaml $bench --board x86-a -d "$runs/x86-a" >"$runs/x86-a.txt" 2>&1 &
first=$!
$kelvin run examples/governors.yaml $bench --board x86-b -d "$runs/x86-b" >"$runs/x86-b.txt" 2>&1 &
second=$!

# In the middle of the sixth job of x86-b its QEMU stops: nothing of the board answers any more.
until grep -q '^\[5/' "$runs/x86-b.txt"; do
  kill -0 $second 2>/dev/null || break
  sleep 0.2
done
sleep 0.5
printf '%s\n' '{"execute":"qmp_capabilities"}' '{"execute":"stop"}' |
  socat -t 2 - "UNIX-CONNECT:$guests/x86-b/control.sock" >/dev/null && echo "x86-b is frozen"

status=0
wait $first || status=$?
wait $second || status=$?
for board in x86-a x86-b; do
  echo "== $board"
  cat "$runs/$board.txt"
done
$kelvin target settings x86-b 'cpu?_governor' $bench
exit $status
