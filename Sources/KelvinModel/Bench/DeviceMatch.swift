/// What a device of this host must have to be meant: all keys must hold.
///
/// A key names a udev property (`ID_SERIAL_SHORT`) or a sysfs attribute (`idVendor`) of the device;
/// with a leading `@`, of it or of any of its ancestors (`@ID_PATH`): labgrid's rule
/// (labgrid/resource/udev.py), so that its match patterns can be taken over.
public struct DeviceMatch: Sendable, Hashable {
  public struct Key: Sendable, Hashable {
    public var name: String
    /// Whether an ancestor may have it.
    public var inAncestors: Bool
    public var value: String

    /// Creates a key.
    public init(_ name: String, inAncestors: Bool = false, _ value: String) {
      self.name = name
      self.inAncestors = inAncestors
      self.value = value
    }
  }

  /// Sorted as written in a bench file: `@` first, then by name.
  public var keys: [Key]

  /// Creates a match from its keys.
  public init(_ keys: [Key]) {
    self.keys = keys.sorted {
      ($0.inAncestors ? 0 : 1, $0.name) < ($1.inAncestors ? 0 : 1, $1.name)
    }
  }

  /// Reads the option `match`: a map of text. Nil when the value is none.
  public init?(_ value: Value?) {
    guard case .map(let map)? = value else { return nil }
    self.init(
      map.map { name, value in
        let text = if case .text(let text) = value { text } else { "\(value)" }
        return name.hasPrefix("@")
          ? Key(String(name.dropFirst()), inAncestors: true, text) : Key(name, text)
      })
  }

  /// The option, for drivers' declarations.
  public static func option(_ name: String = "match", of what: String) -> OptionDeclaration {
    OptionDeclaration(
      name, .map(.text),
      "Which \(what): udev properties or sysfs attributes that it must all have; a key with a "
        + "leading @ may be an ancestor's. 'kelvin bench scan' prints what there is.")
  }
}

extension DeviceMatch: CustomStringConvertible {
  /// `{@ID_PATH: pci-0000:00:14.0-usb-0:2, ID_USB_INTERFACE_NUM: 00}`, as in a bench file.
  public var description: String {
    "{"
      + keys.map { ($0.inAncestors ? "@" : "") + "\($0.name): \($0.value)" }
      .joined(separator: ", ") + "}"
  }
}
