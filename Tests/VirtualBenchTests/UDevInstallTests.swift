import Foundation
import KelvinModel
import Testing

/// `kelvin bench udev --install` as a user of the bench sees it: a meter that is for root alone, then
/// for the group, under Debian's udevd.
@Suite(.serialized, .needsGuests, .guest("host"), .timeLimit(.minutes(5)))
struct UDevInstallTests {
  /// Nobody, in the group of the rules or in none.
  private static let member = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=46"]
  private static let outsider = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
  /// What runs in the bench host runs in a chroot, where udevadm does nothing unless it is told to.
  private static let udevadm = "SYSTEMD_IGNORE_CHROOT=1"

  private static let bench = """
    meters:
      m: {driver: monsoon, match: {ID_SERIAL_SHORT: RULES1}}
    """

  let host: VirtualGuest

  init() throws { host = try #require(VirtualGuest.current) }

  /// A gadget that says that it is a Monsoon; gives the device file that libusb would open.
  private func plug() throws -> String {
    try host.execute(
      """
      set -e
      cd /sys/kernel/config/usb_gadget
      if ! [ -e meter ]; then
        mkdir meter; cd meter
        echo 0x2ab9 > idVendor; echo 0x0001 > idProduct
        mkdir strings/0x409; echo RULES1 > strings/0x409/serialnumber
        mkdir configs/c.1 functions/acm.usb0; ln -s functions/acm.usb0 configs/c.1; cd ..
      fi
      echo dummy_udc.0 > meter/UDC
      for try in $(seq 100); do
        for device in /sys/bus/usb/devices/*; do
          [ "$(cat $device/serial 2>/dev/null)" = RULES1 ] && break 2
        done
        sleep 0.1
      done
      \(Self.udevadm) udevadm settle
      printf '/dev/bus/usb/%03d/%03d' $(cat $device/busnum) $(cat $device/devnum)
      """)
  }

  private func pull() throws {
    try host.execute(
      """
      echo > /sys/kernel/config/usb_gadget/meter/UDC
      for try in $(seq 100); do
        grep -sqx RULES1 /sys/bus/usb/devices/*/serial || exit 0
        sleep 0.1
      done
      exit 1
      """)
  }

  /// Whether a user can open a file for reading and writing.
  private func opens(_ node: String, as user: [String]) throws -> Bool {
    try host.execute(
      "\(user.joined(separator: " ")) sh -c 'exec 3<>\(node)' && echo yes || echo no"
    )
    .hasSuffix("yes")
  }

  @Test func aMemberOfTheGroupMayOpenAMeterOnceTheRulesAreInstalled() throws {
    // udevd runs outside of the chroot; what they share is /run.
    try host.execute(
      """
      set -e
      mkdir -p /run/udev/rules.d /etc/udev/rules.d
      mount --bind /run/udev/rules.d /etc/udev/rules.d
      """)
    var node = try plug()
    #expect(try !opens(node, as: Self.member))
    let denied = try host.kelvin(["bench", "check", "m"], as: Self.member, bench: Self.bench)
    #expect(denied.code == 1, "\(denied.error)\(denied.output)")
    #expect(denied.output.contains("permission denied"), "\(denied.output)")
    #expect(
      denied.output.contains("run 'kelvin bench udev --install' as root"), "\(denied.output)")
    #expect(denied.output.contains("join group plugdev"), "\(denied.output)")
    let missing = try host.kelvin(["bench", "udev", "--check"], as: Self.member)
    #expect(missing.code == 1 && missing.output.contains("not installed"), "\(missing.output)")
    // Users install nothing.
    let refused = try host.kelvin(["bench", "udev", "--install"], as: Self.member)
    #expect(refused.code == 2 && refused.error.contains("as root"), "\(refused.error)")

    let installed = try host.kelvin(
      ["bench", "udev", "--install"], as: ["env", Self.udevadm])
    #expect(installed.code == 0, "\(installed.error)")
    #expect(installed.output.contains("what is plugged in was handled again"))
    // Without being plugged in again.
    #expect(try opens(node, as: Self.member))
    #expect(try !opens(node, as: Self.outsider), "never for everybody")
    let permitted = try host.kelvin(["bench", "check", "m"], as: Self.member, bench: Self.bench)
    #expect(permitted.code == 0, "\(permitted.error)\(permitted.output)")
    #expect(permitted.output.contains("is there and permitted"))
    let checked = try host.kelvin(
      ["bench", "udev", "--check", "--format", "json"], as: Self.member)
    #expect(checked.code == 0, "\(checked.output)")
    let subjects = try #require(Value(json: checked.output)?.list).compactMap { $0.map?["subject"] }
    #expect(subjects.first == "rules" && subjects.count == 4)
    let other = try host.kelvin(["bench", "check", "m"], as: Self.outsider, bench: Self.bench)
    #expect(other.code == 1, "\(other.output)")
    // The rules are there: what is left is the group.
    #expect(other.output.contains("join group plugdev"), "\(other.output)")
    #expect(!other.output.contains("--install"), "\(other.output)")

    // And so it stays.
    try pull()
    node = try plug()
    #expect(try opens(node, as: Self.member))
    try pull()
  }
}
