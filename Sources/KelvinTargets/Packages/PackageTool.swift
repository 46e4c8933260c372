/// A package manager, and how it lists what is installed.
public enum PackageTool: String, Sendable, Hashable, CaseIterable {
  /// Android's `pm`.
  case android
  case dpkg, apk, opkg, rpm

  /// The program that tells.
  var program: String {
    switch self {
    case .android: "pm"
    case .dpkg: "dpkg-query"
    default: rawValue
    }
  }

  /// A command that lists all packages.
  ///
  /// Sources: dpkg-query(1), rpm(8), apk-info(8), opkg's and pm's own help.
  var listing: [String] {
    switch self {
    case .android: ["pm", "list", "packages", "-f", "--show-versioncode"]
    case .dpkg:
      [
        "dpkg-query", "-W",
        "-f=${db:Status-Abbrev}\\t${Package}\\t${Version}\\t${Architecture}\\n"
      ]
    case .apk: ["apk", "info", "-v"]
    case .opkg: ["opkg", "list-installed"]
    case .rpm:
      [
        "rpm", "-qa", "--queryformat",
        "ii \\t%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\n"
      ]
    }
  }

  /// What the listing says, sorted by name. A last line that was cut, and what is no package, is left
  /// out.
  func packages(_ output: [UInt8]) -> [Package] {
    var lines = output.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // Without its line end it may be a part of a line.
    lines.removeLast()
    return lines.compactMap { line in
      var line = line
      if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
      let text = String(decoding: line, as: UTF8.self)
      return switch self {
      case .android: PackageTool.app(text)
      case .dpkg, .rpm: PackageTool.fields(text)
      case .apk: PackageTool.apk(text)
      case .opkg: PackageTool.opkg(text)
      }
    }.sorted { ($0.name, $0.version ?? "") < ($1.name, $1.version ?? "") }
  }

  /// `ii <tab>NAME<tab>VERSION<tab>ARCHITECTURE`; others than `i` are wanted, half there, or removed.
  private static func fields(_ line: String) -> Package? {
    let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    guard fields.count == 4, fields[0].count >= 2, !fields[1].isEmpty, !fields[2].isEmpty,
      fields[0][fields[0].index(after: fields[0].startIndex)] == "i"
    else { return nil }
    // rpm's keys of signers.
    guard fields[1] != "gpg-pubkey" else { return nil }
    return Package(name: fields[1], version: fields[2], architecture: fields[3])
  }

  /// `NAME-VERSION-rN`: names hold dashes, versions do not and begin with a digit.
  private static func apk(_ line: String) -> Package? {
    guard let release = line.lastIndex(of: "-"),
      line[release...].hasPrefix("-r"), line[release...].dropFirst(2).first != nil,
      line[release...].dropFirst(2).allSatisfy(\.isNumber),
      let dash = line[..<release].lastIndex(of: "-"), dash != line.startIndex,
      line[line.index(after: dash)...].first?.isNumber == true
    else { return nil }
    return Package(
      name: String(line[..<dash]), version: String(line[line.index(after: dash)...]))
  }

  /// `NAME - VERSION`
  private static func opkg(_ line: String) -> Package? {
    guard let middle = line.firstRange(of: " - "), middle.lowerBound != line.startIndex else {
      return nil
    }
    let version = line[middle.upperBound...].prefix { $0 != " " }
    let name = line[..<middle.lowerBound]
    guard !version.isEmpty, !name.contains(" ") else { return nil }
    return Package(name: String(name), version: String(version))
  }

  /// `package:PATH=NAME versionCode:N`, since Android 8 with the number (AOSP
  /// PackageManagerShellCommand.java, runListPackages). Paths hold `=`, names do not.
  private static func app(_ line: String) -> Package? {
    guard line.hasPrefix("package:") else { return nil }
    var rest = line.dropFirst(8)
    var code: Int64?
    if let mark = rest.firstRange(of: " versionCode:") {
      code = Int64(rest[mark.upperBound...].prefix { $0 != " " })
      if code == nil { return nil }
      rest = rest[..<mark.lowerBound]
    }
    let equal = rest.lastIndex(of: "=")
    let name = equal.map { rest[rest.index(after: $0)...] } ?? rest
    guard !name.isEmpty, AppName.isValid(name) else { return nil }
    return Package(
      name: String(name), versionCode: code, path: equal.map { String(rest[..<$0]) })
  }
}

/// Names of apps.
enum AppName {
  /// Whether it can be one: letters, digits, `_` and dots (AOSP FrameworkParsingPackageUtils,
  /// validateName). `android` has no dot.
  static func isValid(_ name: some StringProtocol) -> Bool {
    !name.isEmpty && name.utf8.count <= 223 && !name.hasPrefix("-")
      && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }
  }
}
