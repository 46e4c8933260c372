internal import ArgumentParser
internal import Glibc
internal import KelvinModel

/// What the simulated meters on USB share: a program in C plays them (hardware/virtual-bench/gadgets), on a kernel with
/// a device controller, such as the bench host's.
struct SimulatedGadgetOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What goes wrong, or otherwise: hardware/virtual-bench/gadgets/README.md has the words.",
      valueName: "word=value,..."))
  var with: String?

  @Option(help: "The device controller that it is plugged into.") var udc = "dummy_udc.0"

  @Option(
    help: "The program; default: raw-gadget in the folder of KELVIN_GADGETS, or in .build/gadgets.",
    completion: .file())
  var program: String?

  private var place: String {
    if let program { return program }
    let folder = getenv("KELVIN_GADGETS").map { String(cString: $0) } ?? ".build/gadgets"
    return "\(folder)/raw-gadget"
  }

  /// Prints a bench file with the meter, and becomes the program that plays it; what that reports goes to standard
  /// error. Ends by a signal, which unplugs it.
  ///
  /// - Parameters:
  ///   - behavior: as the program calls it.
  ///   - what: the bench file's first line.
  ///   - meter: its entry in the bench file.
  /// - Throws: when there is no such program.
  func play(_ behavior: String, serial: String, _ what: String, meter: String) throws {
    let path = place
    guard access(path, X_OK) == 0 else {
      throw PlainFailure(
        .configuration, "\(path): \(String(cString: strerror(errno)))",
        hint:
          "'make -C hardware/virtual-bench/gadgets OUT=\"$PWD/.build/gadgets\"' builds it; it needs a kernel with "
          + "dummy_hcd and raw_gadget, as 'scripts/virtual-bench exec' has")
    }
    SimulatedBench.print(what, connection: "local")
    Terminal.standardOutput.line(
      """
          meters: [simulated]
      meters:
        simulated: \(meter)
      """)
    var words = [path, behavior, "--speed", "full", "--serial", serial, "--udc", udc]
    if let with { words += ["--with", with] }
    dup2(STDERR_FILENO, STDOUT_FILENO)
    // What is blocked or ignored here would stay so in the program, and nothing would end it.
    for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { signal(number, SIG_DFL) }
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
    var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    pointers.append(nil)
    execv(path, pointers)
    throw PlainFailure(.configuration, "\(path): \(String(cString: strerror(errno)))")
  }
}
