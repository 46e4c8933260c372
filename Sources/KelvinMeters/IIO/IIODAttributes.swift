internal import KelvinModel
internal import Synchronization

/// Attributes of another machine's IIO devices, through its iiod.
struct IIODAttributes: IIOAttributes {
  let client: IIODClient
  let device: IIODevice

  /// By which sysfs knows what iiod has commands of its own for.
  private static let trigger = "trigger/current_trigger"
  private static let buffer = "buffer/"

  func read(_ attribute: IIOAttribute, until deadline: Deadline) throws(MeterFailure) -> String {
    attribute.name == Self.trigger
      ? try client.trigger(of: attribute.device, until: deadline)
      : try client.read(words(for: attribute), until: deadline)
  }

  func write(
    _ value: String, to attribute: IIOAttribute, until deadline: Deadline
  ) throws(MeterFailure) {
    if attribute.name == Self.trigger {
      try client.setTrigger(value.trimmed, of: attribute.device, until: deadline)
    } else {
      try client.write(value, to: words(for: attribute), until: deadline)
    }
  }

  private func words(for attribute: IIOAttribute) -> String {
    if let channel = attribute.channel {
      return
        "\(attribute.device) \(channel.isOutput ? "OUTPUT" : "INPUT") \(channel.id) \(attribute.name)"
    }
    if attribute.device == device.id, let home = device.homes[attribute.name] {
      return "\(attribute.device) INPUT \(home.channel) \(home.name)"
    }
    return attribute.name.hasPrefix(Self.buffer)
      ? "\(attribute.device) BUFFER \(attribute.name.dropFirst(Self.buffer.count))"
      : "\(attribute.device) \(attribute.name)"
  }
}
