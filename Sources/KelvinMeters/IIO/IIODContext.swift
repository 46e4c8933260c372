internal import KelvinModel

/// What an iiod says it has (libiio's `PRINT`, whose document type the XML itself begins with).
struct IIODContext: Sendable, Hashable {
  /// `Linux analyzer 5.10 armv7l`
  var description: String
  /// Devices; those of channels that cannot be captured, too. The place of a channel in its device's
  /// list is its bit in a mask.
  var devices: [IIODevice]
  /// Ids of triggers by name.
  var triggers: [String: String]

  /// Reads a description.
  ///
  /// - Throws: the reason in words.
  init(_ bytes: [UInt8]) throws(XMLElements.Failure) {
    let elements = try XMLElements.read(bytes)
    guard let root = elements.first, root.name == "context" else {
      throw XMLElements.Failure(reason: "it is no IIO context", line: 1)
    }
    description = root.attributes["description"] ?? ""
    devices = []
    triggers = [:]
    for element in elements.dropFirst() {
      let attributes = element.attributes
      if element.depth == 1, element.name == "device" {
        devices.append(IIODevice(attributes))
      } else if let last = devices.indices.last {
        devices[last].take(element)
      }
    }
    for index in devices.indices {
      devices[index].findHomes()
      devices[index].correct()
    }
    for device in devices
    where device.id.hasPrefix("trigger") && device.id.isWord && device.name.isWord {
      triggers[device.name] = device.id
    }
    devices.removeAll { !$0.id.isWord || $0.id.hasPrefix("trigger") }
  }
}

extension IIODevice {
  fileprivate init(_ attributes: [String: String]) {
    self.init(
      id: attributes["id"] ?? "", name: attributes["name"] ?? "",
      label: attributes["label"] ?? "", parent: "", attributes: [], channels: [],
      takesTrigger: true)
  }

  /// Channels without samples hold what belongs to the whole device.
  fileprivate mutating func findHomes() {
    for channel in channels where channel.element == nil && !channel.isOutput && channel.id.isWord {
      for (name, file) in channel.attributes where attributes.insert(file).inserted {
        homes[file] = Home(channel: channel.id, name: name)
      }
    }
  }

  /// What stands below it.
  fileprivate mutating func take(_ element: XMLElements.Element) {
    let attributes = element.attributes
    let last = channels.count - 1
    switch (element.depth, element.name) {
    case (2, "attribute"):
      if let name = attributes["name"], name.isWord { self.attributes.insert(name) }
    case (2, "channel"):
      channels.append(
        IIOChannel(
          id: attributes["id"] ?? "", label: attributes["name"] ?? "",
          isOutput: attributes["type"] == "output", attributes: [:], scale: 1, offset: 0))
    case (3, "attribute") where last >= 0:
      if let name = attributes["name"], name.isWord {
        channels[last].attributes[name] = attributes["filename"] ?? name
      }
    case (3, "scan-element") where last >= 0:
      guard channels[last].id.isWord, let index = attributes["index"].flatMap({ Int($0) }),
        index >= 0,
        let format = attributes["format"].flatMap({ IIOElementFormat($0) })
      else { return }
      channels[last].element = IIOChannel.Element(index: index, format: format)
      channels[last].scale = attributes["scale"].flatMap { Double($0) } ?? 1
    default: break
    }
  }
}

extension String {
  /// Whether it can be a word of a command.
  var isWord: Bool { !isEmpty && utf8.allSatisfy { $0 > 32 && $0 != 127 } }
}
