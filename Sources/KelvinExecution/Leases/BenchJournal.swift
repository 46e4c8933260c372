internal import Foundation
internal import KelvinModel
public import KelvinStore
public import KelvinTargets

/// Original values of one board's settings, kept in the bench database.
public final class BenchJournal: SettingsJournal {
  private let store: BenchStore
  private let resource: BenchResource
  private let run: String
  private let prefix: String
  private let bootID: @Sendable () -> String

  /// Opens the bench database.
  ///
  /// - Parameters:
  ///   - stateDirectory: where it is; nil: where ``StateDirectory`` says.
  ///   - run: that changes settings; empty outside of runs. What people set by hand is kept apart: it is
  ///     how the board is to be, as far as runs are concerned.
  ///   - bootID: of the board, as far as it is known.
  public init(
    _ resource: BenchResource, stateDirectory: String? = nil, run: String,
    bootID: @escaping @Sendable () -> String = { "" }
  ) throws(StoreFailure) {
    store = try BenchStore.open(directory: stateDirectory)
    self.resource = resource
    self.run = run
    prefix = run.isEmpty ? BenchJournal.byHand : ""
    self.bootID = bootID
  }

  public func originals() throws -> [SettingOriginal] {
    try store.originals(of: resource).filter {
      $0.setting.hasPrefix(BenchJournal.byHand) == !prefix.isEmpty
    }.map { kept in
      do {
        return try JSONDecoder().decode(SettingOriginal.self, from: Data(kept.value.utf8))
      } catch {
        throw PlainFailure(
          .infrastructure,
          "\(store.path): what \(kept.setting) of \(resource.label) was cannot be read",
          evidence: String(kept.value.prefix(200)),
          hint: "put it back by hand, then remove its row from the table original_values")
      }
    }
  }

  public func keep(_ originals: [SettingOriginal]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try store.keep(
      originals.map { original in
        OriginalValue(
          setting: prefix + original.point.id,
          value: String(decoding: try encoder.encode(original), as: UTF8.self), run: run,
          boardBootID: bootID())
      }, of: resource)
  }

  public func forget(_ ids: [String]) throws {
    try store.forget(ids.map { prefix + $0 }, of: resource)
  }

  private static let byHand = "by hand: "
}
