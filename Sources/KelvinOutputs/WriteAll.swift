internal import Glibc

/// Writes all of `text`.
func writeAll(_ text: String, to descriptor: Int32, path: String) throws(OutputFailure) {
  var text = text
  let error = text.withUTF8 { bytes -> Int32 in
    var rest = UnsafeRawBufferPointer(bytes)
    while !rest.isEmpty {
      let count = write(descriptor, rest.baseAddress, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        return errno
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return 0
  }
  guard error == 0 else { throw OutputFailure(writing: path, error: error) }
}
