import Foundation
import Glibc
import Testing

// A systemd on the board: this machine's own, first process of a namespace with a login of its own.
extension X86BoardTests {
  /// Copies systemd and its libraries to the folder that the guest sees.
  private static let bringing = """
    set -e; cd "$1"; mkdir -p root; cd root
    for p in /lib/systemd/systemd /bin/systemctl; do
      cp --parents -L $p .
      for l in $(ldd $p | grep -o '/[^ ]*'); do mkdir -p ".${l%/*}"; cp -nL $l ".$l"; done
    done
    """

  /// Starts it, with two units and a login on port 5555.
  private static let starting = """
    set -e; mkdir -p /mnt/share; mount -t 9p -o trans=virtio,version=9p2000.L share /mnt/share
    cd /mnt/share/root; find . -type f | while read -r f; do
      [ -e "/$f" ] || { mkdir -p "/${f%/*}"; cp "$f" "/$f"; }; done
    mount -t cgroup2 none /sys/fs/cgroup; mkdir -p /etc/systemd/system; cd /etc/systemd/system
    unit() { printf '[Unit]\\nDefaultDependencies=no\\n'"$2" >$1; }
    unit noise.service '[Service]\\nExecStart=/bin/sleep 1000000\\n'
    unit door.service '[Service]\\nExecStart=/usr/sbin/dropbear -F -E -B -p 5555\\n'
    unit later.service '[Service]\\nExecStart=/bin/true\\n'
    unit later.timer '[Timer]\\nOnActiveSec=1h\\n'
    unit default.target 'Wants=noise.service later.timer door.service\\n'
    : >/etc/machine-id
    setsid busybox unshare --mount --pid --fork --mount-proc env -i container=lxc PATH=$PATH \\
      /lib/systemd/systemd --system --show-status=0 --log-target=kmsg </dev/null >/dev/null 2>&1 &
    """

  @Test(
    .enabled(
      if: access("/lib/systemd/systemd", X_OK) == 0, "/lib/systemd/systemd is not on this machine"))
  func unitsOfSystemdAreStoppedAndStartedAgain() throws {
    let board = try board()
    let bench = try KelvinBench()
    let brought = try VirtualGuest.program(
      "/bin/bash", ["-c", Self.bringing, "bring", board.folder + "/share"])
    try #require(brought.code == 0, "\(brought)")
    try board.run(Self.starting)
    let text = """
      boards:
        rock:
          profile: virtual-x86
          connection:
            ssh: {host: 127.0.0.1, port: \(try board.port("adb_port")), config: \(board.folder)/ssh_config}

      """
    func target(_ words: String...) throws -> VirtualGuest.Done {
      try bench.kelvin(["target"] + words, bench: text)
    }
    try VirtualGuest.wait("systemd is up") {
      try target("exec", "rock", "--", "systemctl", "is-system-running").output == "running\n"
    }
    let see = "systemctl is-active noise.service later.timer; pidof sleep | wc -w"
    try """
    config: {augmentations: [execution_time], max_retries: 0}
    sections:
      - {id: quiet, runtime_params: {stop_services: [noise, later.timer]}}
      - {id: plain}
    workloads: [{name: command, params: {argv: [sh, -c, '\(see)']}}]
    """.write(toFile: bench.directory + "/units.yaml", atomically: true, encoding: .utf8)
    let done = try bench.kelvin(
      ["run", bench.directory + "/units.yaml", "--board", "rock", "-d", bench.directory + "/units"],
      bench: text)
    #expect(done.code == 0, "\(done)")
    let outputs = try VirtualGuest.program(
      "/bin/sh", ["-c", "cat '\(bench.directory)'/units/jobs/*/*/stdout"]
    ).output
    #expect(outputs == "inactive\ninactive\n0\nactive\nactive\n1\n")

    let set = try target("set", "rock", "stop_services=[noise]")
    #expect(set.code == 0 && set.output.contains("noise.service"), "\(set)")
    #expect(try target("exec", "rock", "--", "sh", "-c", see).output == "inactive\nactive\n0\n")
    let restored = try target("restore", "rock")
    #expect(restored.code == 0, "\(restored)")
    #expect(try target("exec", "rock", "--", "sh", "-c", see).output == "active\nactive\n1\n")
    let unknown = try target("set", "rock", "stop_services=[nois]")
    #expect(
      unknown.code == 2 && unknown.error.contains("did you mean 'noise.service'"), "\(unknown)")
  }
}
