package import KelvinModel

/// What is known of a board's U-Boot beforehand. All may be left out.
package struct UBootOptions: Sendable, Hashable {
  /// The prompt; learned when nil.
  package var prompt: [UInt8]?
  /// What stops autoboot; what its message asks for when nil.
  package var stopKeys: [UInt8]?
  /// Bytes of the board's line buffer (CONFIG_SYS_CBSIZE), the ending zero included. U-Boot cuts what
  /// is longer, and runs the rest.
  package var lineLimit: Int

  /// Creates options.
  package init(prompt: [UInt8]? = nil, stopKeys: [UInt8]? = nil, lineLimit: Int = 512) {
    self.prompt = prompt
    self.stopKeys = stopKeys
    self.lineLimit = lineLimit
  }
}

extension UBootOptions {
  /// What a bench file says, valid against ``ConnectionDeclarations/bootloaders``.
  package init(_ choice: DriverChoice) {
    self.init(
      prompt: choice.options["prompt"]?.text.map { Array($0.utf8) },
      stopKeys: choice.options["stop-keys"]?.text.map { text in
        UBootWatch.key(text.lowercased()) ?? Array(text.utf8)
      })
    if let limit = choice.options["line-limit"]?.integer { lineLimit = Int(limit) }
  }
}
