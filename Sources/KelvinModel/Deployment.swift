/// What a board must run for a job, and how that gets there: images of this host, and a way.
public struct Deployment: Sendable, Hashable, Codable {
  /// How images get onto a board, and how it boots them.
  public enum Way: String, Sendable, Hashable, Codable, CaseIterable {
    /// The running kernel starts another.
    case kexec
    /// U-Boot loads them into memory, over network or its console, and starts them.
    case uboot
    /// A boot loader that speaks fastboot writes them into partitions.
    case fastboot
    /// A card that is switched between this host and the board.
    case sdMux = "sd-mux"
    /// A command of this host.
    case command

    /// Whether what was deployed is gone after the next boot: it was in memory only.
    public var isVolatile: Bool { self == .kexec || self == .uboot }
  }

  /// Nil: the only way that the bench describes for the board.
  public var way: Way?
  /// Files of this host.
  public var kernel: String?
  public var initrd: String?
  public var deviceTree: String?
  /// A root file system's image.
  public var root: String?
  /// Of the kernel; nil: as it is.
  public var commandLine: String?
  /// The build id that the running kernel must have, lower-case hex; nil: the image's own.
  public var buildID: String?
  /// A shell line that must succeed on the board.
  public var verify: String?

  /// Creates a deployment.
  public init(
    way: Way? = nil, kernel: String? = nil, initrd: String? = nil, deviceTree: String? = nil,
    root: String? = nil, commandLine: String? = nil, buildID: String? = nil,
    verify: String? = nil
  ) {
    self.way = way
    self.kernel = kernel
    self.initrd = initrd
    self.deviceTree = deviceTree
    self.root = root
    self.commandLine = commandLine
    self.buildID = buildID
    self.verify = verify
  }

  /// By the keys of an agenda; nil when nothing is to be deployed.
  public init?(_ values: [String: Value]) {
    guard !values.isEmpty else { return nil }
    self.init(
      way: values["by"]?.text.flatMap(Way.init(rawValue:)), kernel: values["kernel"]?.text,
      initrd: values["initrd"]?.text, deviceTree: values["device_tree"]?.text,
      root: values["root"]?.text, commandLine: values["command_line"]?.text,
      buildID: values["build_id"]?.text?.lowercased(), verify: values["verify"]?.text)
  }

  /// What is set, by the keys of an agenda, in the order of documentation.
  public var values: [(key: String, value: String)] {
    let all: [(String, String?)] = [
      ("by", way?.rawValue), ("kernel", kernel), ("initrd", initrd), ("device_tree", deviceTree),
      ("root", root), ("command_line", commandLine), ("build_id", buildID), ("verify", verify)
    ]
    return all.compactMap { key, value in value.map { (key, $0) } }
  }

  /// The files of this host, by the keys of an agenda.
  public var files: [(key: String, path: String)] {
    let all = [
      ("kernel", kernel), ("initrd", initrd), ("device_tree", deviceTree), ("root", root)
    ]
    return all.compactMap { key, path in path.map { (key, $0) } }
  }

  /// What contradicts itself, as far as it shows without looking at any file.
  public var contradictions: [Problem] {
    var problems: [Problem] = []
    if files.isEmpty {
      problems.append(
        Problem("by", "no image is named", hint: "write a 'kernel', a 'root' or another image"))
    }
    if let buildID, !buildID.allSatisfy(\.isHexDigit) || buildID.count < 8 || buildID.count % 2 != 0
    {
      problems.append(
        Problem(
          "build_id", "'\(buildID)' is no build id",
          hint: "'file vmlinux' or 'readelf -n' prints it"))
    }
    if kernel == nil, buildID == nil, verify == nil, !files.isEmpty {
      problems.append(
        Problem(
          files[0].key, "nothing would show that the board runs it",
          hint: "write 'verify: SHELL LINE', or the kernel's 'build_id'"))
    }
    guard let way else { return problems }
    return problems + contradictions(of: way)
  }

  /// What a way cannot do of this.
  public func contradictions(of way: Way) -> [Problem] {
    var problems: [Problem] = []
    if way.isVolatile {
      if root != nil {
        problems.append(
          Problem(
            "root", "'\(way.rawValue)' starts a kernel, and writes no root file system",
            hint: "'fastboot', 'sd-mux' and 'command' do; or put it into an 'initrd'"))
      }
      if kernel == nil {
        problems.append(
          Problem("by", "'\(way.rawValue)' starts a kernel, and 'kernel' is missing"))
      }
    }
    if commandLine != nil, way == .fastboot || way == .sdMux {
      problems.append(
        Problem(
          "command_line", "'\(way.rawValue)' gives the kernel no command line",
          hint: "it is part of what is written; 'kexec' and 'uboot' give one"))
    }
    if way == .sdMux {
      for (key, _) in files where key != "root" {
        problems.append(
          Problem(key, "'sd-mux' writes one image, the card's: 'root'"))
      }
      if root == nil { problems.append(Problem("by", "'sd-mux' needs 'root', the card's image")) }
    }
    return problems
  }

  /// What is wrong with a deployment.
  public struct Problem: Sendable, Hashable {
    /// Of which key it is told.
    public var key: String
    public var message: String
    public var hint: String

    /// Creates a problem.
    public init(_ key: String, _ message: String, hint: String = "") {
      self.key = key
      self.message = message
      self.hint = hint
    }
  }
}

/// The ways of deploying that a board has, each with its options, as a bench file or a profile says.
public struct DeployWays: Sendable, Hashable {
  /// Validated, defaults filled in.
  public var options: [Deployment.Way: [String: Value]]

  /// Creates a description.
  public init(_ options: [Deployment.Way: [String: Value]] = [:]) { self.options = options }

  /// By the keys of a bench file.
  public init(_ values: [String: Value]) {
    options = [:]
    for (key, value) in values {
      guard let way = Deployment.Way(rawValue: key) else { continue }
      options[way] = value.map ?? [:]
    }
  }

  /// These, and the others where these say nothing.
  public func over(_ others: DeployWays) -> DeployWays {
    DeployWays(options.merging(others.options) { own, _ in own })
  }

  /// The way that a deployment takes.
  ///
  /// kexec needs nothing described: any Linux with kexec-tools has it.
  ///
  /// - Throws: when the board does not have it, or several and none is chosen.
  public func way(of deployment: Deployment) throws(Deployment.Refusal) -> Deployment.Way {
    let way = try chosen(deployment)
    if way == .uboot, let uboot = options[way], uboot["load"]?.text ?? "tftp" == "tftp",
      uboot["directory"]?.text == nil
    {
      throw Deployment.Refusal(
        message: "its U-Boot loads by TFTP, and the server's 'directory' is missing",
        hint: "add it to its bench entry, or write 'load: serial'")
    }
    return way
  }

  private func chosen(
    _ deployment: Deployment
  ) throws(Deployment.Refusal) -> Deployment.Way {
    let known = options.keys.map(\.rawValue).sorted().joined(separator: ", ")
    if let way = deployment.way {
      guard options[way] != nil || way == .kexec else {
        throw Deployment.Refusal(
          message: "it has no '\(way.rawValue)'",
          hint: "describe it in its bench entry: 'deploy: {\(way.rawValue): {...}}'"
            + (known.isEmpty ? "" : "; there it has \(known)"))
      }
      return way
    }
    if options.count == 1, let only = options.keys.first { return only }
    throw Deployment.Refusal(
      message: options.isEmpty
        ? "its bench entry describes no way" : "it has several ways: \(known)",
      hint: "choose one in the agenda: 'deploy: {by: kexec, ...}'")
  }
}

extension Deployment {
  /// Why a board cannot be deployed to.
  public struct Refusal: Error, Sendable, Hashable {
    public var message: String
    public var hint: String

    /// Creates a refusal.
    public init(message: String, hint: String = "") {
      self.message = message
      self.hint = hint
    }
  }
}

extension Plan {
  /// A spec that runs on whatever a job before it has written: nothing brings back what was there.
  public struct Mix: Sendable, Hashable {
    public var text: String
    public var hint: String
    public var provenance: [String: SourceLocation]
  }

  /// The first spec without a deployment in a plan in which another's stays on the board.
  ///
  /// - Parameter way: which one a deployment takes; nil where that is not known.
  public func mixedDeployment(_ way: (Deployment) -> Deployment.Way?) -> Mix? {
    let lasting = specs.first { spec in
      spec.deployment.flatMap(way).map { !$0.isVolatile } ?? false
    }
    guard let lasting, let bare = specs.first(where: { $0.deployment == nil }) else { return nil }
    return Mix(
      text: "spec '\(bare.id)' deploys nothing, and what '\(lasting.id)' writes stays on the board",
      hint: "say what it is to run, too: 'deploy: {...}'", provenance: bare.provenance)
  }
}
