internal import KelvinDevices
public import KelvinModel

extension PowerHost {
  /// Looks through the devices of this host for the serial port that a match means: the port itself, or
  /// the only one of the USB device that it means, which is how `kelvin bench scan` names equipment.
  public static let byUDev: @Sendable (DeviceMatch) throws(PowerFailure) -> String = {
    (match) throws(PowerFailure) in
    do throws(DeviceFailure) {
      let context = try UDevContext()
      let port = try port(match, context)
      try port.requireAccess()
      return port.node ?? ""
    } catch {
      throw PowerFailure(
        error.kind, error.message, evidence: error.evidence, hint: error.hint)
    }
  }

  /// Looks through the devices of this host for the USB device that a match means.
  public static let usbByUDev: @Sendable (DeviceMatch) throws(PowerFailure) -> String = {
    (match) throws(PowerFailure) in
    do throws(DeviceFailure) {
      return try DeviceMatcher(match, role: .usbDevice).find(in: UDevContext()).node ?? ""
    } catch {
      throw PowerFailure(
        error.kind, error.message, evidence: error.evidence, hint: error.hint)
    }
  }

  private static func port(
    _ match: DeviceMatch, _ context: UDevContext
  ) throws(DeviceFailure) -> HostDevice {
    do throws(DeviceFailure) {
      return try DeviceMatcher(match, role: .serialPort).find(in: context)
    } catch {
      guard error.problem == .absent else { throw error }
      // What it says about serial ports is of more use than that no USB device matches either.
      guard let found = try? DeviceMatcher.find(.serialPort, of: match, in: context) else {
        throw error
      }
      guard found.parts.count == 1 else {
        throw DeviceFailure(
          .ambiguous, "\(match) means a USB device with \(found.parts.count) serial ports",
          hint: "add the interface: 'ID_USB_INTERFACE_NUM'")
      }
      return found.parts[0]
    }
  }
}
