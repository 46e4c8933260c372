internal import KelvinModel

// WA's other keys: understood, or answered with what to write instead.
extension OutlineReader {
  /// Whether the key was one of these.
  mutating func readLegacy(_ entry: LocatedValue.Entry, isAgenda: Bool) -> Bool {
    if let instead = LegacyKey.unused[entry.key] {
      if !entry.value.isNull, entry.value.scalar?.text.isEmpty != true {
        checker.diagnostics.warning(
          entry.keyLocation, "config: '\(entry.key)' has no effect", hint: instead)
      }
      return true
    }
    switch entry.key {
    case "device": readDevice(entry)
    case "device_config":
      if entry.value.isNull || entry.value.map != nil {
        deviceConfig = entry
      } else {
        refuse(entry, "a map")
      }
    case "allow_phone_home":
      // No workload of Kelvin's reports to anyone, so both answers are honored.
      let option = OptionDeclaration("allow_phone_home", .boolean, "")
      _ = checker.value(entry.value, of: option, as: "config")
    case "config", "global":
      checker.diagnostics.error(
        entry.keyLocation,
        isAgenda
          ? "config: '\(entry.key)' stands inside the config already"
          : "'\(entry.key)' stands in a config file, whose top level is the config already",
        hint: "move its entries one level up")
    case "workloads", "sections":
      checker.diagnostics.error(
        entry.keyLocation,
        isAgenda
          ? "config: '\(entry.key)' belongs at the top level of the agenda"
          : "'\(entry.key)' stands in a config file", hint: "it belongs in the agenda")
    default: return false
    }
    return true
  }

  private mutating func readDevice(_ entry: LocatedValue.Entry) {
    guard !entry.value.isNull else { return }
    guard let scalar = entry.value.scalar else {
      refuse(entry, "the name of a device")
      return
    }
    device = (
      Located(value: scalar.text, location: entry.value.location),
      checker.diagnostics.isLenient
    )
  }

  /// Judges the device once all sources are read, since a later one wins.
  mutating func settleDevice() {
    let isLocal = describesThisMachine
    if let device {
      let shown = LocatedValue.quoted(device.name.value)
      if !request.isLocalTarget {
        checker.diagnostics.warning(
          device.name.location, "device \(shown) has no effect: the board comes from bench.yaml")
      } else if !isLocal {
        checker.diagnostics.isLenient = device.isLenient
        checker.diagnostics.error(
          device.name.location, "device \(shown) is not this machine",
          hint: "boards come with bench.yaml; write 'generic_local' for this machine, or remove it")
        checker.diagnostics.isLenient = false
      }
    }
    guard let entries = deviceConfig?.value.map, let deviceConfig,
      entries.contains(where: { !$0.value.isNull })
    else { return }
    checker.diagnostics.warning(
      deviceConfig.keyLocation, "config: 'device_config' has no effect",
      hint: isLocal
        ? "this machine needs none; boards come with bench.yaml" : "boards come with bench.yaml")
  }

  /// Whether the device is this machine: none named, WA's generic_local, or generic_linux at this
  /// machine's own address.
  private var describesThisMachine: Bool {
    guard let name = device?.name.value else { return true }
    let folded = NameIndex.fold(name)
    if LegacyKey.localDevices.contains(folded) { return true }
    guard folded == "generic-linux" else { return false }
    return (deviceConfig?.value.map ?? []).contains { entry in
      guard let scalar = entry.value.scalar else { return false }
      switch entry.key {
      case "host": return LegacyKey.localHosts.contains(scalar.text)
      case "connection": return scalar.text == "local"
      case "local": return scalar.asBoolean == true
      default: return false
      }
    }
  }
}
