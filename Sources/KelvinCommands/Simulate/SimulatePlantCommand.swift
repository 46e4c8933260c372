internal import ArgumentParser
internal import Foundation
internal import KelvinModel
internal import KelvinSimulators

/// `kelvin simulate plant`: turns what a virtual board does into the power it draws.
struct SimulatePlantCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plant",
    abstract: "Drives a virtual board's power, temperature and battery from what it does.",
    discussion: """
      Under emulation a frequency changes neither speed nor power. The plant reads the P-states \
      and the load of a guest of scripts/virtual-bench, computes its power by a function of your \
      choice, and lets the guest's own power meter, thermal zone and battery show it. Its log is \
      the ground truth for whatever measures the guest.

      EXAMPLES
        kelvin simulate plant .build/virtual-bench/x86-a
        kelvin simulate plant .build/virtual-bench/x86-a --for 60 --model model.json
        kelvin simulate plant .build/virtual-bench/x86-a --print-model    the default, to start from
      """)

  @Argument(help: "The guest's folder.", completion: .directory)
  var guest: String

  @Option(help: "A JSON file with the function from activity to power.")
  var model: String?

  @Option(help: "The kind of guest: x86 or arm.")
  var kind = "x86"

  @Option(help: "Milliseconds between two steps.")
  var tick = 10.0

  @Option(help: "Where the log goes; default: plant.csv in the guest's folder.")
  var log: String?

  @Option(name: .customLong("for"), help: "End after this time; default: with the guest.")
  var duration: TimeArgument?

  @Flag(help: "Print the model and end.")
  var printModel = false

  func validate() throws {
    guard kind == "x86" || kind == "arm" else {
      throw ValidationError("'\(kind)': the kind of guest is x86 or arm")
    }
    guard tick >= 1, tick <= 10_000 else {
      throw ValidationError("--tick: between 1 and 10000 ms")
    }
  }

  func run() async throws {
    let model = try readModel()
    if printModel {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      Terminal.standardOutput.line(String(decoding: try encoder.encode(model), as: UTF8.self))
      return
    }
    let stop = SignalInterrupt.begin()
    let plant = try Plant(
      folder: guest, kind: kind, model: model, tickSeconds: tick / 1000,
      logPath: log ?? guest + "/plant.csv")
    let joules = try plant.run(
      until: duration.map { Deadline.after(seconds: $0.seconds, interrupt: stop) }
        ?? Deadline(time: nil, interrupt: stop))
    Terminal.standardOutput.line(String(format: "energy %.3f J (virtual)", joules))
  }

  private func readModel() throws -> PlantModel {
    guard let path = model else {
      return kind == "arm"
        ? PlantModel(base: 0.6, cpus: PlantModel.armCPUs) : PlantModel()
    }
    do {
      let data = try Data(contentsOf: URL(fileURLWithPath: path))
      let model = try JSONDecoder().decode(PlantModel.self, from: data)
      if let mistake = model.mistake { throw PlainFailure(.configuration, "\(path): \(mistake)") }
      return model
    } catch let failure as PlainFailure {
      throw failure
    } catch {
      throw PlainFailure(
        .configuration, "\(path): is no model", evidence: "\(error)",
        hint: "'--print-model' prints one to start from")
    }
  }
}
