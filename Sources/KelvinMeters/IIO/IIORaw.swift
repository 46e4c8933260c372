internal import KelvinConnections
internal import KelvinModel

/// The channels of an IIO device that can be read one by one, through `in_..._raw`: of boards whose buffers
/// nobody reads, and of devices that have none.
///
/// Each reading starts a conversion or gives the last one, as the driver likes; channels are read one after the
/// other. Value = (raw + offset) · scale in the kernel's unit (Linux, Documentation/ABI/testing/sysfs-bus-iio).
struct IIORaw: Sendable {
  let device: IIODevice
  let channels: [Channel]
  let files: [TargetPath]

  /// Reads what a device has.
  ///
  /// - Throws: `notFound` when none of its channels can be read so; `malfunction` for a scale that is none.
  init(
    _ device: IIODevice, _ options: IIOOptions, name: String, through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) {
    self.device = device
    let directory = TargetPath("\(IIOSysfs.top)/\(device.id)")
    let names = Self.names(device.attributes)
    var wanted: [TargetPath] = []
    var places: [String: [String: Int]] = [:]
    for base in names {
      let attributes = IIOSysfs.attributes(of: base, device.attributes)
      for attribute in ["scale", "offset", "label"] {
        guard let file = attributes[attribute] else { continue }
        places[base, default: [:]][attribute] = wanted.count
        wanted.append(directory.appending(file))
      }
    }
    let contents: [Result<[UInt8], Errno>]
    do throws(ConnectionFailure) {
      contents = wanted.isEmpty ? [] : try await connection.read(wanted, until: deadline)
    } catch {
      throw MeterFailure(error, of: name)
    }
    func text(_ base: String, _ attribute: String) -> String? {
      guard let place = places[base]?[attribute], let bytes = try? contents[place].get() else {
        return nil
      }
      return String(decoding: bytes, as: UTF8.self).trimmed
    }
    var found: [(channel: Channel, file: TargetPath)] = []
    for base in names {
      let id = String(base.dropFirst("in_".count))
      let label = text(base, "label") ?? ""
      guard
        options.channels.isEmpty || options.channels.contains(id)
          || !label.isEmpty && options.channels.contains(label)
      else { continue }
      let quantity = IIOQuantity(channel: id)
      let scale = (text(base, "scale").map { Double($0) ?? .nan } ?? 1) * quantity.factor
      let offset = (text(base, "offset").map { Double($0) ?? .nan } ?? 0) * scale
      guard scale.isFinite, scale != 0, offset.isFinite else {
        throw MeterFailure(
          .malfunction, "\(name): \(device.title) \(id): a scale that is none",
          evidence: "\(text(base, "scale") ?? "") \(text(base, "offset") ?? "")")
      }
      found.append(
        (
          Channel(
            name: label.isEmpty ? id : label, unit: quantity.unit, scale: scale, offset: offset,
            site: device.isShuntMonitor && id != "voltage0" ? device.title : "",
            kind: quantity.kind),
          directory.appending(base + "_raw")
        ))
    }
    guard !found.isEmpty else {
      throw MeterFailure(
        .notFound,
        "\(name): \(device.title) has no channel"
          + (options.channels.isEmpty ? "" : " \(options.channels.joined(separator: ", "))")
          + " that can be read",
        hint: names.isEmpty
          ? "" : "it has " + names.map { String($0.dropFirst(3)) }.joined(separator: ", "))
    }
    channels = found.map(\.channel)
    files = found.map(\.file)
  }

  /// `in_voltage0` for each `in_voltage0_raw`, in the order of their names.
  static func names(_ attributes: Set<String>) -> [String] {
    attributes.compactMap { file in
      file.hasPrefix("in_") && file.hasSuffix("_raw") ? String(file.dropLast(4)) : nil
    }.sorted { ($0.count, $0) < ($1.count, $1) }
  }
}
