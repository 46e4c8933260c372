internal import CLinux
internal import Glibc
internal import KelvinModel

/// The partitions of a simulated boot loader: a file for each in one directory, and one for what was
/// downloaded. Used by one thread.
final class PartitionFiles {
  /// Why a partition was not written, as boot loaders put it.
  struct Refusal: Error { let text: String }

  private let directory: String
  private(set) var sizes: [String: Int64]

  /// Makes what files are not there yet, of zeros.
  init(_ directory: String, sizes: [String: Int64]) throws(PlainFailure) {
    self.directory = directory
    self.sizes = sizes
    for (name, size) in sizes {
      let descriptor = kelvin_open(path(name), O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
      guard descriptor >= 0, ftruncate(descriptor, off_t(size)) == 0 else {
        throw PlainFailure(.infrastructure, "\(path(name)): \(Errno.current)")
      }
      close(descriptor)
    }
  }

  private func path(_ name: String) -> String { "\(directory)/\(name).img" }

  /// Opens the file of what is downloaded, emptied on request.
  func openDownload(empty: Bool) -> Int32 {
    kelvin_open(
      "\(directory)/.download", O_RDWR | O_CREAT | O_CLOEXEC | (empty ? O_TRUNC : 0), 0o644)
  }

  func erase(_ name: String) throws(Refusal) {
    let descriptor = try open(name)
    defer { close(descriptor) }
    guard ftruncate(descriptor, 0) == 0, ftruncate(descriptor, off_t(sizes[name] ?? 0)) == 0 else {
      throw Refusal(text: "erase failed")
    }
  }

  /// Writes what was downloaded, expanded when it is a sparse image.
  func flash(_ name: String) throws(Refusal) {
    let source = openDownload(empty: false)
    guard source >= 0 else { throw Refusal(text: "no image downloaded") }
    defer { close(source) }
    var status = stat()
    guard fstat(source, &status) == 0, status.st_size > 0 else {
      throw Refusal(text: "no image downloaded")
    }
    let target = try open(name)
    defer { close(target) }
    var expander = SparseExpander(
      source: source, size: Int64(status.st_size), target: target, room: sizes[name] ?? 0)
    try expander.run()
  }

  private func open(_ name: String) throws(Refusal) -> Int32 {
    guard sizes[name] != nil else { throw Refusal(text: "no such partition") }
    let descriptor = kelvin_open(path(name), O_RDWR | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw Refusal(text: "flash write error") }
    return descriptor
  }
}
