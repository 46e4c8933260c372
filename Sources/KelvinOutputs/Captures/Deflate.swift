internal import CLibZ

/// zlib (RFC 1951, without its own header), as members of a zip hold it.
final class Deflater {
  // At one place for its life: zlib's state points back at it.
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

  /// Level 6, as most zips have.
  init() {
    stream.initialize(to: z_stream())
    deflateInit2_(
      stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Compresses more bytes; `isLast` also gives what was held back.
  func compress(_ bytes: [UInt8], isLast: Bool = false) -> [UInt8] {
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    bytes.withUnsafeBufferPointer { input in
      stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      stream.pointee.avail_in = UInt32(input.count)
      var isFull = true
      while isFull {
        buffer.withUnsafeMutableBufferPointer { space in
          stream.pointee.next_out = space.baseAddress
          stream.pointee.avail_out = UInt32(space.count)
          deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
        }
        output += buffer[..<(buffer.count - Int(stream.pointee.avail_out))]
        isFull = stream.pointee.avail_out == 0
      }
    }
    return output
  }
}

/// What became of compressed bytes.
enum Inflated {
  case whole([UInt8])
  /// They end too early.
  case truncated([UInt8])
  case corrupt([UInt8])
  /// They hold more than was allowed.
  case tooLarge

  /// Expands bytes to at most `limit`.
  init(_ bytes: ArraySlice<UInt8>, limit: Int) {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    inflateInit2_(stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    defer {
      inflateEnd(stream)
      stream.deallocate()
    }
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    self = bytes.withUnsafeBufferPointer { input in
      stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      stream.pointee.avail_in = UInt32(input.count)
      while true {
        let result = buffer.withUnsafeMutableBufferPointer { space in
          stream.pointee.next_out = space.baseAddress
          stream.pointee.avail_out = UInt32(space.count)
          return inflate(stream, Z_NO_FLUSH)
        }
        output += buffer[..<(buffer.count - Int(stream.pointee.avail_out))]
        if output.count > limit { return .tooLarge }
        switch result {
        case Z_STREAM_END: return .whole(output)
        case Z_OK: continue
        case Z_BUF_ERROR: return .truncated(output)
        default: return .corrupt(output)
        }
      }
    }
  }
}

/// CRC-32 as zip has it, of more bytes after those of `start`.
func checksum32(_ bytes: some Collection<UInt8>, after start: UInt = 0) -> UInt {
  Array(bytes).withUnsafeBufferPointer {
    crc32(start, $0.baseAddress, UInt32($0.count))
  }
}
