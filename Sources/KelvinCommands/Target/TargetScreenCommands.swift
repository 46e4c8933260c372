internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target input`: fingers and keys for an Android.
struct TargetInputCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "input",
    abstract: "Touches an Android's screen, presses its keys, types into it.",
    discussion: """
      EXAMPLES
        kelvin target input phone tap 540 1200
        kelvin target input phone swipe 540 1800 540 600 250
        kelvin target input phone key home
        kelvin target input phone key KEYCODE_VOLUME_UP
        kelvin target input phone text 'two words'
        kelvin target input phone wake
        kelvin target input phone unlock

      Places are pixels from the upper left corner, a swipe's last number is its length in milliseconds. \
      Text is what a US keyboard types. Unlocking takes a lock without a secret away.
      """)

  enum Kind: String, ExpressibleByArgument, CaseIterable {
    case tap, swipe, key, text, wake, unlock
  }

  @Argument(help: "The board, by its name in the bench file.") var board: String

  @Argument(help: "What is done.") var kind: Kind

  @Argument(parsing: .allUnrecognized, help: "Its numbers, key or text.") var words: [String] = []

  @Option(help: "How long it may take.") var timeout = "30 s"

  @OptionGroup var target: TargetOptions

  func validate() throws {
    switch kind {
    case .tap where words.count == 2: _ = try numbers()
    case .swipe where words.count == 4 || words.count == 5: _ = try numbers()
    case .key where words.count == 1:
      guard InputKey(words[0]) != nil else { throw ValidationError("'\(words[0])' is no key") }
    case .text where words.count == 1: break
    case .wake where words.isEmpty, .unlock where words.isEmpty: break
    case .tap: throw ValidationError("tap takes two numbers: X Y")
    case .swipe: throw ValidationError("swipe takes four numbers, and a time: X Y X Y [MS]")
    case .key: throw ValidationError("key takes a name or a number: home")
    case .text: throw ValidationError("text takes one word; put it in quotes")
    case .wake, .unlock: throw ValidationError("\(kind.rawValue) takes nothing more")
    }
  }

  private func numbers() throws -> [Int] {
    try words.map { word in
      guard let number = Int(word), (0...100_000).contains(number) else {
        throw ValidationError("'\(word)' is no number of pixels or milliseconds")
      }
      return number
    }
  }

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    let (kind, words) = (kind, words)
    let numbers = kind == .tap || kind == .swipe ? try numbers() : []
    try await target.withTarget(board, for: "input", until: deadline) { target in
      switch kind {
      case .tap:
        try await target.tap(ScreenPoint(x: numbers[0], y: numbers[1]), until: deadline)
      case .swipe:
        try await target.swipe(
          from: ScreenPoint(x: numbers[0], y: numbers[1]),
          to: ScreenPoint(x: numbers[2], y: numbers[3]),
          milliseconds: numbers.count > 4 ? numbers[4] : 300, until: deadline)
      case .key:
        if let key = InputKey(words[0]) { try await target.press(key, until: deadline) }
      case .text: try await target.type(words[0], until: deadline)
      case .wake: try await target.wake(until: deadline)
      case .unlock: try await target.unlock(until: deadline)
      }
    }
  }
}

/// `kelvin target screenshot`: a picture of an Android's screen.
struct TargetScreenshotCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "screenshot",
    abstract: "Takes a picture of an Android's screen.",
    discussion: """
      EXAMPLES
        kelvin target screenshot phone screen.png
      """)

  @Argument(help: "The board, by its name in the bench file.") var board: String

  @Argument(help: "The PNG file to write.", completion: .file(extensions: ["png"]))
  var file: String

  @Option(help: "How long it may take.") var timeout = "30 s"

  @OptionGroup var target: TargetOptions

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    let path = file
    let size = try await target.withTarget(board, for: "screenshot", until: deadline) {
      try await $0.screenshot(to: path, until: deadline)
    }
    Terminal.standardOutput.line("\(file): \(size) bytes")
  }
}
