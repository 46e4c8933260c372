import KelvinConnections
import KelvinMeters
import KelvinModel
import Testing

@testable import KelvinExecution

/// Tests of the energy instrument in real runs.
protocol EnergySuite {}

extension EnergySuite {
  /// A bench whose board has meters that follow what a test says.
  func bench(
    _ drivers: [WaveformDriver], _ settings: [String: Value] = [:], tied: [String]? = nil,
    argv: [String]? = ["sleep", "0.3"], on connection: any Connection = LocalConnection()
  ) -> InstrumentBench {
    var bench = InstrumentBench(connection)
    let place = SourceLocation(file: "bench.yaml", line: 1)
    bench.equipment.meters = BoardMeters(
      declared: drivers.map {
        MeterEntry(name: $0.name, driver: DriverChoice($0.name, location: place), location: place)
      }, tied: tied ?? drivers.map(\.name), drivers: drivers)
    bench.settings = ["energy": settings]
    bench.argv = argv
    return bench
  }

  /// The only job of a run with the instrument and the time beside it.
  func run(_ bench: InstrumentBench) async throws -> InstrumentBench.Record.Job {
    let record = try await bench.run([ExecutionTime.self, EnergyMeasurement.self])
    return try #require(record.jobs.first)
  }
}
