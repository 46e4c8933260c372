internal import KelvinModel

/// Steps of ``Connection/settle(_:until:)`` through a shell in one round trip: the script, and what it
/// prints. Pure.
///
/// One `head` reads what all files hold before (``ShellValues``), and one what they hold after all steps.
/// In between, the shell reads each file that is to be compared itself when its turn came, which needs
/// no process: what an earlier step has changed is seen. That is no way to read what has no newline (dash
/// reads single bytes, of which /proc/sys gives the first one only) or many lines; those are read by
/// `head`, and bytes that are no text by `head` and `od`. What was written before, or could not be read
/// at first, tells once more what it holds; that needs a process when the shell cannot read it itself.
struct ShellSettling {
  private let values: ShellValues
  private let steps: [ValueStep]
  /// The files, each once.
  let paths: [TargetPath]
  /// Which of them each step has.
  private let places: [Int]

  /// - Parameter limit: bytes of a file beyond which it gives EFBIG.
  init(_ steps: [ValueStep], limit: Int) {
    self.steps = steps
    (paths, places) = steps.distinctPaths
    values = ShellValues(limit: limit)
  }

  /// How a step's file is compared.
  private enum Comparison: String {
    case line = "l", text = "t", binary = "b", never = "n", witness = "w"
  }

  private static func comparison(of step: ValueStep) -> Comparison {
    if step.wanted == nil { return .witness }
    if step.isAlwaysWritten { return .never }
    if step.isBinary { return .binary }
    return step.forms.contains { $0.isEmpty || $0.contains(10) } ? .text : .line
  }

  // MARK: What is sent

  /// `kelvin_turn FILE f|a KIND FORM...` looks at a file, and succeeds when it is to be written. `f`: the
  /// file stands in `kelvin_q`, whose next letter says whether it was read with the others. It says
  /// `kelvin_r`, whether the file's content follows (r) or is known (k), `kelvin_h`, whether the file holds
  /// one of the forms (h), is written (w) or neither (n), and `kelvin_u`, how the shell knows its text,
  /// `kelvin_v`: to the byte, but for NUL, as one line (x), but for whitespace at the end (t), or not (-).
  private static let functions = """
    kelvin_line() { [ -f "$kelvin_f" ] && { IFS= read -r kelvin_v || return 1; kelvin_u=x
    while IFS= read -r kelvin_x || [ "$kelvin_x" ]; do kelvin_u=t
    case $kelvin_x in *[!" \t"]*) kelvin_v=; kelvin_u=-; break;; esac; done; } <"$kelvin_f"; }
    kelvin_text() { kelvin_v=; [ -d "$kelvin_f" ] && return 1
    kelvin_v=$(head -c $kelvin_n -- "$kelvin_f" 2>/dev/null) || { kelvin_v=; return 1; }; kelvin_u=t; }
    kelvin_hex() { kelvin_v=$(head -c $kelvin_n -- "$kelvin_f" 2>/dev/null | od -An -v -tx1 | tr -d ' \\n')
    while :; do case $kelvin_v in *00|*09|*0a|*20) kelvin_v=${kelvin_v%??};; *) return;; esac; done; }
    kelvin_same() { [ ${#kelvin_v} -gt 65536 ] || while :; do case $kelvin_v in *[" \t"]|*"
    ") kelvin_v=${kelvin_v%?};; *) break;; esac; done
    for kelvin_x do [ "x$kelvin_v" = "x$kelvin_x" ] && return; done
    [ ${#kelvin_v} -le 65536 ] || return 1
    case $kelvin_v in *"
    "*|*\\[*\\[*|*\\]*\\]*) return 1;; *\\[?*\\]*) ;; *) return 1;; esac
    kelvin_g=${kelvin_v#*\\[}; kelvin_g=${kelvin_g%%\\]*}
    case $kelvin_g in *[" \t"]*) return 1;; esac
    case " $kelvin_v " in *[" \t"]"[$kelvin_g]"[" \t"]*) ;; *) return 1;; esac
    for kelvin_x do [ "x$kelvin_g" = "x$kelvin_x" ] && return; done; return 1; }
    kelvin_turn() { kelvin_f=$1 kelvin_c=$2 kelvin_y=$3; shift 3; kelvin_v=; kelvin_u=-; kelvin_h=w
    if [ $kelvin_c = f ]; then case $kelvin_q in s*) kelvin_c=a;; esac; kelvin_q=${kelvin_q#?}; fi
    case $kelvin_y in l) kelvin_line || kelvin_text;; t) kelvin_text;; b) kelvin_hex;; w) kelvin_h=n; false;;
    *) false;; esac && kelvin_same "$@" && kelvin_h=h
    case $kelvin_y in b) kelvin_u=-;; *) [ ${#kelvin_v} -le 4096 ] || kelvin_u=-;; esac
    kelvin_r=k; case $kelvin_c$kelvin_u in a-|at) kelvin_r=r;; esac
    case $kelvin_u in -) printf '%s-\\n' $kelvin_r$kelvin_h;;
    *) printf '%s\\n%s\\n%s \\n' $kelvin_r$kelvin_h$kelvin_u "$kelvin_v" $kelvin_p;; esac
    [ $kelvin_r = k ] || kelvin_each "$kelvin_f"; [ $kelvin_h = w ]; }
    """

  /// The script.
  var script: String {
    var before = ""
    var after = ""
    for start in stride(from: 0, to: paths.count, by: ShellValues.batch) {
      let end = min(start + ShellValues.batch, paths.count)
      let words =
        end - start == paths.count
        ? "\"$@\"" : (start..<end).map { "\"${\($0 + 1)}\"" }.joined(separator: " ")
      before += "kelvin_some \(words); kelvin_q=$kelvin_q$kelvin_m\n"
      after += "kelvin_all \(words)\n"
    }
    var turns = ""
    var count = 0
    for (step, place) in zip(steps, places) {
      let word = "\"${\(place + 1)}\""
      // Places are counted in the order in which they come first.
      let isFirst = place == count
      if isFirst { count += 1 }
      let comparison = ShellSettling.comparison(of: step)
      let forms =
        switch comparison {
        case .never, .witness: ""
        case .binary: step.forms.filter { !$0.isEmpty }.map { " " + ShellSettling.hex($0) }.joined()
        case .line, .text:
          step.forms.map { " " + ShellWords.quote(String(decoding: $0, as: UTF8.self)) }.joined()
        }
      turns +=
        "kelvin_turn \(word) \(isFirst ? "f" : "a") \(comparison.rawValue)\(forms)"
      if let wanted = step.wanted {
        turns += " && \(values.putting(wanted, into: step.path, named: word))"
      }
      turns += "\n"
    }
    let words = paths.map { ShellWords.quote($0.string) }.joined(separator: " ")
    return "kelvin_probe; kelvin_p=\(values.nonce) kelvin_n=\(values.limit + 1) kelvin_q=\n"
      + "kelvin_find head\n\(ShellSettling.functions)\nkelvin_go() {\n\(before)\(turns)\(after)}\n"
      + "kelvin_go \(words) 6>&1\n"
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  // MARK: What comes back

  /// What became of the steps; EIO stands where that cannot be told.
  ///
  /// - Returns: whether what the files hold after all steps is in it; else ``set(_:in:)`` sets it.
  func outcomes(_ bytes: [UInt8]) -> (steps: [ValueOutcome], isComplete: Bool) {
    let unknown = ValueOutcome(before: .failure(.io), writing: .failed(.io), after: .failure(.io))
    var outcomes = steps.map { step in
      var outcome = unknown
      if step.wanted == nil { outcome.writing = .notNeeded }
      return outcome
    }
    var reader = values.reader(of: bytes)
    guard let before = batches({ reader.block(of: $0) }) else { return (outcomes, false) }
    var count = 0
    for (index, step) in steps.enumerated() {
      let isFirst = places[index] == count
      if isFirst { count += 1 }
      guard let turn = Turn(&reader, step, isFirst ? before[places[index]] : nil) else {
        return (outcomes, false)
      }
      outcomes[index].before = turn.before
      if step.wanted != nil {
        guard !turn.isWritten || turn.writing != nil else { return (outcomes, false) }
        outcomes[index].writing = turn.writing ?? .notNeeded
      }
    }
    guard let after = batches({ reader.batch(of: $0) }), reader.isAtEnd else {
      return (outcomes, false)
    }
    set(after, in: &outcomes)
    return (outcomes, true)
  }

  /// Sets what the distinct files hold after all steps.
  func set(_ after: [Result<[UInt8], Errno>], in outcomes: inout [ValueOutcome]) {
    for (index, place) in places.enumerated() { outcomes[index].after = after[place] }
  }

  private func batches<Element>(_ read: (Int) -> [Element]?) -> [Element]? {
    var results: [Element] = []
    while results.count < paths.count {
      guard let some = read(min(ShellValues.batch, paths.count - results.count)) else { return nil }
      results += some
    }
    return results
  }

  /// What `kelvin_turn` said of a step, and `kelvin_put` after it.
  private struct Turn {
    let before: Result<[UInt8], Errno>
    let isWritten: Bool
    /// Nil: nothing was written, or that it was is missing.
    let writing: ValueOutcome.Writing?

    /// - Parameter first: what was read before all steps; nil when that may be another content.
    init?(_ reader: inout ShellValuesReader, _ step: ValueStep, _ first: Result<[UInt8], Errno>?) {
      guard let line = reader.part(before: [10]), line.count == 3 else { return nil }
      let letters = line.map { Character(Unicode.Scalar($0)) }
      guard "rk".contains(letters[0]), "xt-".contains(letters[2]),
        step.wanted == nil ? letters[1] == "n" : "hw".contains(letters[1])
      else { return nil }
      var text: [UInt8]?
      if letters[2] != "-" {
        guard let said = reader.text() else { return nil }
        text = Array(said)
      }
      if letters[0] == "r" {
        guard let value = reader.value() else { return nil }
        before = value
      } else if let first {
        before = Turn.newer(text, than: first)
      } else {
        guard let text, letters[2] == "x" else { return nil }
        before = .success(text + [10])
      }
      isWritten = letters[1] == "w"
      writing = isWritten ? reader.written().map { ValueOutcome.Writing($0) } : nil
    }

    /// What an earlier step has made of a file's content, as far as the shell's own reading shows it.
    private static func newer(
      _ text: [UInt8]?, than first: Result<[UInt8], Errno>
    ) -> Result<[UInt8], Errno> {
      guard let text, ValueStep.isText(text), case .success(let value) = first,
        ValueStep.trimmed(value.filter { $0 != 0 }) != ValueStep.trimmed(text)
      else { return first }
      return .success(text + [10])
    }
  }
}
