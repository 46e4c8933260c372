/// What is true of every meter of a kind: how it is found, what it measures and how well
/// (`hardware/meters/NAME.yaml`).
public struct MeterProfile: Sendable, Hashable {
  /// The file's name without `.yaml`.
  public var name: String
  /// The product's name, as people say it.
  public var title: String
  /// What bench files call its driver.
  public var driver: String
  /// By which it is found on USB; empty for meters that are not on USB.
  public var usb: [USBModel]
  /// Whether it is spoken to over a serial line, on whatever adapter.
  public var usesSerialLine: Bool
  /// For meters that are spoken to over the network, in their own protocol or their software's.
  public var tcpPort: Int?
  /// In hertz: the highest at which it delivers samples; nil when it depends.
  public var sampleRateInHertz: Double?
  /// In the order in which the meter delivers them.
  public var channels: [MeterChannel]
  /// Each with its source, as its maker or others state it.
  public var accuracy: [AccuracyFigure]
  /// What it can be set to, for meters that also supply the board.
  public var supply: SupplyRange?
  /// Ways of use that exclude each other, such as measuring and supplying.
  public var modes: [String]
  /// What shows that samples were lost; nil: nothing does.
  public var lossWitness: String?
  public var quirks: [String]
  public var notes: [String]
  /// What the profile, and a driver if there is one, has been checked on.
  public var verified: String?
  /// Where the profile stands.
  public var location: SourceLocation

  /// One identity of a meter on USB.
  public struct USBModel: Sendable, Hashable {
    public var id: USBDeviceID
    /// Which model, or which state, has this identity; empty when there is only one.
    public var model: String
    /// Whether a driver can measure with it; false for a boot loader's or an updater's identity.
    public var isMeter: Bool

    /// Creates an identity.
    public init(_ id: USBDeviceID, model: String = "", isMeter: Bool = true) {
      self.id = id
      self.model = model
      self.isMeter = isMeter
    }
  }

  /// Creates a profile.
  public init(
    name: String, title: String, driver: String, usb: [USBModel] = [],
    usesSerialLine: Bool = false, tcpPort: Int? = nil, sampleRateInHertz: Double? = nil,
    channels: [MeterChannel] = [],
    accuracy: [AccuracyFigure] = [], supply: SupplyRange? = nil, modes: [String] = [],
    lossWitness: String? = nil, quirks: [String] = [], notes: [String] = [],
    verified: String? = nil, location: SourceLocation
  ) {
    self.name = name
    self.title = title
    self.driver = driver
    self.usb = usb
    self.usesSerialLine = usesSerialLine
    self.tcpPort = tcpPort
    self.sampleRateInHertz = sampleRateInHertz
    self.channels = channels
    self.accuracy = accuracy
    self.supply = supply
    self.modes = modes
    self.lossWitness = lossWitness
    self.quirks = quirks
    self.notes = notes
    self.verified = verified
    self.location = location
  }
}

/// What a meter measures at one site.
public struct MeterChannel: Sendable, Hashable {
  /// Differs within a meter.
  public var name: String
  public var kind: Kind
  /// In the base unit of ``Kind/dimension``; nil when nobody says.
  public var range: ClosedRange<Double>?
  /// The smallest step, in the same unit.
  public var resolution: Double?

  /// What is measured.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    case voltage, current, power, energy, charge, temperature
    /// High or low.
    case logic

    /// Nil for logic levels.
    public var dimension: Dimension? { Dimension(rawValue: rawValue) }
  }

  /// Creates a channel.
  public init(
    name: String, kind: Kind, range: ClosedRange<Double>? = nil, resolution: Double? = nil
  ) {
    self.name = name
    self.kind = kind
    self.range = range
    self.resolution = resolution
  }
}

/// How far a meter's figures can be trusted, and who says so.
public struct AccuracyFigure: Sendable, Hashable {
  /// The name of a channel; nil: all of them.
  public var channel: String?
  /// As stated: `0.05 % + 25 nA`.
  public var figure: String
  /// Under which conditions; empty when the source gives none.
  public var conditions: String
  public var source: String

  /// Creates a figure.
  public init(channel: String? = nil, figure: String, conditions: String = "", source: String) {
    self.channel = channel
    self.figure = figure
    self.conditions = conditions
    self.source = source
  }
}

/// What a supply can be set to.
public struct SupplyRange: Sendable, Hashable {
  /// In volts.
  public var voltage: ClosedRange<Double>
  /// In amperes; nil when nobody says.
  public var currentLimit: Double?

  /// Creates a range.
  public init(voltage: ClosedRange<Double>, currentLimit: Double? = nil) {
    self.voltage = voltage
    self.currentLimit = currentLimit
  }
}

extension MeterProfile {
  /// What a bench file may say of such a meter, as far as its profile tells; a driver declares
  /// more.
  public var declaration: Declaration {
    var options: [OptionDeclaration] = []
    if usesSerialLine { options.append(.init("path", .path, "The serial line's device file.")) }
    if usesSerialLine || !usb.isEmpty { options.append(DeviceMatch.option(of: "meter")) }
    if let tcpPort {
      options += [
        .init("host", .text, default: "127.0.0.1", "Where it, or its maker's software, listens."),
        .init(
          "port", .integer, default: .integer(Int64(tcpPort)), range: 1...65_535, "Its TCP port.")
      ]
    }
    if !modes.isEmpty {
      options.append(
        .init(
          "mode", .choice(modes), default: .text(modes[0]), isDetail: true, "How it is used."))
    }
    if let supply {
      options.append(
        .init(
          "voltage", .quantity(.voltage, bare: nil), range: supply.voltage, isDetail: true,
          "What it supplies the board with; in a mode that does not supply, what others do."))
    }
    return Declaration(
      .meter, driver, summary: title + " (no driver yet).",
      description: "Bench files may name it; nothing measures with it yet.", options: options,
      alternatives: usesSerialLine ? [.init(["path", "match"], required: true)] : [],
      verified: verified)
  }
}
