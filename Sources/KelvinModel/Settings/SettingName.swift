/// Which part of a board a setting holds for.
public enum SettingScope: Sendable, Hashable {
  case all
  /// A CPU, as the kernel numbers it.
  case cpu(Int)
  /// CPUs of one kind, in lower case and with `_` between words: `big`, `little`, `a53`.
  case kind(String)
}

/// The name of a setting as agendas write it, taken apart: `cpu0_governor` is `governor` of CPU 0,
/// `num_big_cores` is `num_cores` of the big ones. The names are Workload Automation's.
public struct SettingName: Sendable, Hashable, CustomStringConvertible {
  /// The declaration's name: `governor`.
  public var base: String
  public var scope: SettingScope

  /// Puts a name together.
  public init(_ base: String, _ scope: SettingScope = .all) {
    self.base = base
    self.scope = scope
  }

  /// As agendas write it.
  public var description: String {
    switch scope {
    case .all: return base
    case .cpu(let number): return "cpu\(number)_\(base)"
    case .kind(let kind):
      guard base.hasPrefix("num_") else { return "\(kind)_\(base)" }
      return "num_\(kind)_\(base.dropFirst(4))"
    }
  }

  /// Reads a name by the declarations that there are; nil when none has it.
  ///
  /// Case does not count, and `-` and `_` are the same. The longest declared name that fits is meant:
  /// `cpu0_max_frequency` is `max_frequency` of a CPU, not `frequency` of CPUs called `cpu0_max`.
  public init?(_ text: String, in declarations: [SettingDeclaration]) {
    let text = SettingName.fold(text)
    var best: (name: SettingName, length: Int)?
    func offer(_ declaration: SettingDeclaration, _ scope: SettingScope, _ length: Int) {
      guard length > best?.length ?? -1, declaration.reach.contains(scope) else { return }
      best = (SettingName(declaration.name, scope), length)
    }
    for declaration in declarations {
      for written in [declaration.name] + declaration.aliases {
        let name = SettingName.fold(written)
        if text == name { offer(declaration, .all, name.count) }
        guard declaration.reach != .board else { continue }
        if name.hasPrefix("num_") {
          // `num_cores` has the kind in its middle.
          let end = name.dropFirst(3)
          if text.hasPrefix("num_"), text.hasSuffix(end), text.count > end.count + 4 {
            // One CPU is not counted.
            let scope = SettingName.scope(of: text.dropFirst(4).dropLast(end.count))
            if case .kind = scope { offer(declaration, scope, name.count) }
          }
        } else if text.hasSuffix("_" + name), text.count > name.count + 1 {
          offer(declaration, SettingName.scope(of: text.dropLast(name.count + 1)), name.count)
        }
      }
    }
    guard let name = best?.name else { return nil }
    self = name
  }

  /// A name by which CPUs of one kind are called in settings: `Cortex-A53` gives `cortex_a53`.
  public static func fold(_ text: some StringProtocol) -> String {
    text.lowercased().replacing("-", with: "_")
  }

  private static func scope(of prefix: some StringProtocol) -> SettingScope {
    if prefix.hasPrefix("cpu"), let number = Int(prefix.dropFirst(3)),
      (0..<8192).contains(number)
    {
      return .cpu(number)
    }
    return .kind(String(prefix))
  }
}
