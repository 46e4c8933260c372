internal import KelvinConnections
internal import KelvinModel

extension BenchCheck {
  /// Asks a boot loader for its product. A board that runs its system has none to ask, which is no
  /// failure.
  func checkBootloader(
    _ subject: String, _ part: String, _ choice: DriverChoice, _ deadline: Deadline
  ) async -> CheckStep {
    if choice.driver == "uboot" {
      return CheckStep(
        subject, part, .skipped, "goes over the console; 'kelvin target uboot' reaches it")
    }
    do {
      let device = try await FastbootDevice.open(FastbootAddress(choice), until: deadline)
      defer { device.close() }
      let product: String
      do throws(ConnectionFailure) {
        product = try await device.variable("product", until: deadline)
      } catch {
        guard case .refused = error.code else { throw error }
        product = ""
      }
      let words = product.isEmpty ? "answers (fastboot)" : "answers (fastboot): '\(product)'"
      return CheckStep(subject, part, .ok, words)
    } catch let failure as ConnectionFailure where failure.code == .notFound {
      return CheckStep(
        subject, part, .skipped, "not in its boot loader now: \(failure.message)")
    } catch { return CheckStep(subject, part, error) }
  }
}
