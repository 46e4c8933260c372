internal import Glibc
internal import KelvinModel

/// Gives the bytes of a part in buffers of one size, so that no image is ever whole in memory.
struct PieceReader {
  private let file: ImageFile
  private var rest: ArraySlice<SparsePart.Piece>
  /// Of the first piece that is left.
  private var done: Int64 = 0

  init(_ part: SparsePart, of file: ImageFile) {
    self.file = file
    rest = part.pieces[...]
  }

  /// Fills the buffer, but for the last time wholly.
  ///
  /// - Returns: how many bytes; 0 after the last.
  mutating func fill(_ buffer: inout [UInt8]) throws(ConnectionFailure) -> Int {
    var used = 0
    while used < buffer.count, let piece = rest.first {
      let count = Int(min(Int64(buffer.count - used), piece.count - done))
      if count > 0 {
        do throws(KelvinModel.Errno) {
          try copy(piece, count, into: &buffer, at: used)
        } catch {
          throw ConnectionFailure(
            .hostFile(error), "\(file.path): \(error)",
            hint: "did it change while it was flashed?")
        }
      }
      used += count
      done += Int64(count)
      if done == piece.count {
        rest = rest.dropFirst()
        done = 0
      }
    }
    return used
  }

  private func copy(
    _ piece: SparsePart.Piece, _ count: Int, into buffer: inout [UInt8], at position: Int
  ) throws(KelvinModel.Errno) {
    switch piece {
    case .bytes(let bytes):
      let start = Int(done)
      buffer.replaceSubrange(position..<position + count, with: bytes[start..<start + count])
    case .zeros:
      for index in position..<position + count { buffer[index] = 0 }
    case .file(let offset, _):
      var failure: KelvinModel.Errno?
      buffer.withUnsafeMutableBytes { whole in
        let part = UnsafeMutableRawBufferPointer(rebasing: whole[position..<position + count])
        do throws(KelvinModel.Errno) { try file.read(part, at: offset + done) } catch {
          failure = error
        }
      }
      if let failure { throw failure }
    }
  }
}
