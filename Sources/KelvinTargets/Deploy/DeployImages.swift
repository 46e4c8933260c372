internal import KelvinConnections
public import KelvinModel

/// The images of a deployment as they are on this host now.
public struct DeployImages: Sendable, Hashable {
  public var deployment: Deployment
  /// SHA-256 by the keys of an agenda, lower-case hex.
  public var checksums: [String: String]
  /// Nil where no kernel is named, or its image cannot be read here.
  public var kernel: KernelImage?

  /// Looks at the files.
  ///
  /// - Throws: of kind configuration: a file that is not there, or no image.
  public static func read(_ deployment: Deployment) throws(PlainFailure) -> DeployImages {
    if let problem = problems(with: deployment).first {
      throw PlainFailure(
        .configuration, "deploy: \(problem.key): \(problem.message)", hint: problem.hint)
    }
    var images = DeployImages(deployment: deployment, checksums: [:], kernel: nil)
    images.kernel = deployment.kernel.flatMap { try? KernelImage.read($0) }
    for (key, path) in deployment.files {
      do throws(Errno) {
        images.checksums[key] = try Checksum.sha256(ofFile: path)
      } catch {
        throw PlainFailure(.infrastructure, "\(path): \(error)")
      }
    }
    return images
  }

  /// Tells deployments apart: JSON of all that decides what the board will be.
  public var identity: String {
    var values = checksums.mapValues { Value.text($0) }
    values["command_line"] = deployment.commandLine.map { .text($0) }
    values["build_id"] = deployment.buildID.map { .text($0) }
    return Value.map(values).json
  }

  /// What is wrong with the files of a deployment, each told of its key; no device is asked.
  public static func problems(with deployment: Deployment) -> [Deployment.Problem] {
    var problems: [Deployment.Problem] = []
    for (key, path) in deployment.files {
      do throws(Deployment.Refusal) {
        let file = try ImageReader(path)
        if key == "device_tree", file.bytes(at: 0, count: 4) != [0xD0, 0x0D, 0xFE, 0xED] {
          throw Deployment.Refusal(
            message: "\(path): is no device tree blob", hint: "dtc makes one of its source")
        }
        guard key == "kernel" else { continue }
        let image = try KernelImage.read(path)
        guard image.buildIDs.isEmpty, image.release == nil, deployment.buildID == nil,
          deployment.verify == nil
        else { continue }
        throw Deployment.Refusal(
          message: "\(path): shows neither a build id nor a version by which it is known again",
          hint: "write its 'build_id', or a 'verify' line")
      } catch {
        // Boot loaders take images in forms of their own, when something else tells that they run.
        let isOpaque =
          key == "kernel" && deployment.way.map { !$0.isVolatile } ?? true
          && (deployment.buildID != nil || deployment.verify != nil)
          && (try? ImageReader(path)) != nil
        if !isOpaque {
          problems.append(Deployment.Problem(key, error.message, hint: error.hint))
        }
      }
    }
    return problems
  }
}
