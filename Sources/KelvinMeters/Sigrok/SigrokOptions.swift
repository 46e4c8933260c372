internal import KelvinModel

/// What a bench file says of a device that sigrok reads.
struct SigrokOptions: Sendable {
  /// With its connection, as sigrok-cli has it: `scpi-pps:conn=tcp-raw/10.0.0.7/5025`.
  var device: String
  /// Nil: all that tell analog values.
  var channels: [String]?
  var settings: [String]
  var group: String?
  /// By how much a value may be late, in seconds.
  var delay: Double
  var patience: Double
  var accuracy: [MeterChannel.Kind: Accuracy]

  static let declared: [OptionDeclaration] = [
    .init(
      "device", .text, required: true,
      "sigrok's driver, such as 'scpi-pps' or 'uni-t-ut61e'; 'sigrok-cli -L' lists them."),
    .init(
      "conn", .text, "Where it is, as sigrok has it: 'tcp-raw/10.0.0.7/5025', '/dev/ttyUSB0'."),
    .init("serialcomm", .text, isDetail: true, "The serial line: '9600/8n1'."),
    .init(
      "channels", .list(.text), isDetail: true,
      "Which of its channels, by sigrok's names; otherwise all that tell values."),
    .init(
      "group", .text, isDetail: true, "The channel group that 'config' is for, as sigrok names it."),
    .init(
      "config", .map(.text), isDetail: true,
      "Settings of the device, such as '{samplerate: 10}'; they stay."),
    .init(
      "delay", .quantity(.time, bare: "s"), default: .number(0.1), range: 0...600, isDetail: true,
      "By how much a value may come late at most: sigrok-cli tells no times."),
    .init(
      "patience", .quantity(.time, bare: "s"), default: .number(10), range: 0.1...86_400,
      isDetail: true, "How long no value may come."),
    AccuracyOptions.option
  ]

  /// Reads them.
  ///
  /// - Throws: `invalid` for what sigrok-cli would take for something else.
  init(_ values: [String: Value], of name: String) throws(MeterFailure) {
    let driver = values["device"]?.text ?? ""
    var parts = [driver]
    for key in ["conn", "serialcomm"] {
      guard let text = values[key]?.text else { continue }
      guard !text.contains(":") else {
        throw MeterFailure(
          .invalid, "\(name): '\(key)' has a colon, with which sigrok begins another option")
      }
      parts.append("\(key)=\(text)")
    }
    guard !driver.isEmpty, driver.utf8.allSatisfy({ $0 > 32 && $0 != UInt8(ascii: ":") }),
      driver.first != "-"
    else {
      throw MeterFailure(
        .invalid, "\(name): '\(driver)' is no driver of sigrok's",
        hint: "'sigrok-cli -L' lists them")
    }
    device = parts.joined(separator: ":")
    channels = values["channels"]?.list?.compactMap(\.text)
    let unfit = channels?.first {
      $0.isEmpty || $0.contains { ",=-".contains($0) || $0.isWhitespace }
    }
    guard unfit == nil, Set(channels ?? []).count == channels?.count ?? 0, channels?.isEmpty != true
    else { throw MeterFailure(.invalid, "\(name): 'channels' are names of sigrok's, each once") }
    settings = (values["config"]?.map ?? [:]).sorted { $0.key < $1.key }
      .map { "\($0.key)=\($0.value.display)" }
    group = values["group"]?.text
    delay = values["delay"]?.number ?? 0.1
    patience = values["patience"]?.number ?? 10
    accuracy = try AccuracyOptions.read(values["accuracy"], of: name)
  }

  /// The command line that measures so many samples of some channels.
  func argv(_ channels: [String]?, samples: Int) -> [String] {
    var argv = ["sigrok-cli", "-d", device]
    if let group { argv += ["-g", group] }
    if !settings.isEmpty { argv += ["--config", settings.joined(separator: ":")] }
    if let channels { argv += ["--channels", channels.joined(separator: ",")] }
    // '--continuous' ends at once without a terminal to press a key at.
    return argv + ["--samples", "\(samples)", "-O", "analog"]
  }
}
