import Foundation
import KelvinModel
import Testing

/// The bench host: this machine's own programs on a kernel with USB gadgets, sensors and udevd.
@Suite(.serialized, .needsGuests, .guest("host"), .timeLimit(.minutes(5)))
struct BenchHostTests {
  private func host() throws -> VirtualGuest { try #require(VirtualGuest.current) }

  private func execute(_ command: String) throws -> String {
    let done = try VirtualGuest.script(["exec", "--guest", host().name, "--", "bash", "-c", command]
    )
    try #require(done.code == 0, "\(command): \(done.error)")
    return done.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  @Test func runsThisMachinesProgramsAndPassesTheirExitCodesOn() throws {
    #expect(try execute("uname -r").hasSuffix("-amd64"))
    let done = try VirtualGuest.script([
      "exec", "--guest", host().name, "--", "bash", "-c", "exit 7"
    ])
    #expect(done.code == 7)
    // Its clock is this machine's, whatever the snapshot's age.
    let seconds = try #require(Double(try execute("date +%s")))
    #expect(abs(seconds - Date().timeIntervalSince1970) < 60)
  }

  @Test func namesAGadgetAsUdevNamesARealDevice() throws {
    let text = try execute(
      """
      set -e
      cd /sys/kernel/config/usb_gadget; mkdir acm; cd acm
      echo 0x1915 > idVendor; echo 0xc00a > idProduct
      mkdir strings/0x409; echo vb0001 > strings/0x409/serialnumber; echo VBench > strings/0x409/manufacturer
      mkdir configs/c.1 functions/acm.usb0 functions/acm.usb1
      ln -s functions/acm.usb0 configs/c.1; ln -s functions/acm.usb1 configs/c.1
      echo dummy_udc.0 > UDC
      for try in $(seq 100); do [ -e /dev/ttyACM1 ] && break; sleep 0.1; done
      udevadm settle
      udevadm info /dev/ttyACM0 /dev/ttyACM1; ls /dev/serial/by-id
      echo > UDC
      for try in $(seq 100); do [ -e /dev/ttyACM0 ] || break; sleep 0.1; done
      [ ! -e /dev/ttyACM0 ]
      """)
    #expect(text.contains("ID_SERIAL_SHORT=vb0001"))
    #expect(text.contains("ID_USB_INTERFACE_NUM=00") && text.contains("ID_USB_INTERFACE_NUM=02"))
    #expect(text.contains("ID_VENDOR_ID=1915"))
  }

  @Test func readsSensorsThroughTheKernelsDrivers() throws {
    let text = try execute(
      """
      set -e
      bus=$(basename $(dirname $(grep -l 'SMBus stub' /sys/class/i2c-adapter/*/name)))
      n=${bus#i2c-}
      [ -e /dev/i2c-$n ]
      i2cset -y $n 0x40 0xFE 0x4954 w; i2cset -y $n 0x40 0xFF 0x6022 w
      modprobe ina2xx; echo ina226 0x40 > /sys/class/i2c-adapter/$bus/new_device
      i2cset -f -y $n 0x40 0x02 0xa00f w; i2cset -f -y $n 0x40 0x04 0x2003 w
      for hwmon in /sys/class/hwmon/hwmon*; do
        [ "$(cat $hwmon/name 2>/dev/null)" = ina226 ] && cat $hwmon/in1_input $hwmon/curr1_input
      done
      """)
    #expect(text == "5000\n200")
    // And through kelvin: 5 V times 0.2 A, told by the chip's voltage and current.
    let done = try host().kelvin([
      "measure", "--meter", "hwmon/ina226", "--for", "1 s", "--format", "json"
    ])
    try #require(done.code == 0, "\(done)")
    let run = try #require(Value(json: done.output)?.map?["runs"]?.list?.first?.map, "\(done)")
    let sites = (run["sites"]?.list ?? []).compactMap { $0.map }
    let site = try #require(sites.first { $0["site"] == "1" }, "\(sites)")
    let duration = try #require(run["duration"]?.number)
    let energy = try #require(site["energy"]?.number)
    #expect(duration >= 1)
    #expect(abs(energy - duration) < 1e-3 * duration, "\(site)")
    #expect(site["samples"]?.integer.map { $0 > 5 } == true)
    _ = try execute(
      """
      bus=$(basename $(dirname $(grep -l 'SMBus stub' /sys/class/i2c-adapter/*/name)))
      echo 0x40 > /sys/class/i2c-adapter/$bus/delete_device
      """)
  }

  @Test func drivesSimulatedLines() throws {
    let text = try execute(
      """
      set -e
      modprobe gpio-sim; cd /sys/kernel/config/gpio-sim; mkdir c0; mkdir c0/bank0
      echo 8 > c0/bank0/num_lines; echo 1 > c0/live
      chip=$(cat c0/bank0/chip_name); device=$(cat c0/dev_name)
      gpioset $chip 3=1
      gpioget $chip 3; echo pull-up > /sys/devices/platform/$device/$chip/sim_gpio4/pull; gpioget $chip 4
      echo 0 > c0/live; rmdir c0/bank0; rmdir c0
      """)
    #expect(text.hasSuffix("1"))
  }
}
