/// XXH64 of some bytes, as doc/xxhash_spec.md of Cyan4973/xxHash defines it: the checksum of blocks and
/// summaries. It is what zstd's frames carry, too, at about 10 GB/s; it protects from damage, not from
/// malice.
func xxHash64(_ bytes: RawSpan, seed: UInt64 = 0) -> UInt64 {
  let count = bytes.byteCount
  var position = 0
  var hash: UInt64
  if count >= 32 {
    var lanes = (
      seed &+ prime1 &+ prime2, seed &+ prime2, seed, seed &- prime1
    )
    while position &+ 32 <= count {
      lanes.0 = round(lanes.0, word(bytes, position))
      lanes.1 = round(lanes.1, word(bytes, position &+ 8))
      lanes.2 = round(lanes.2, word(bytes, position &+ 16))
      lanes.3 = round(lanes.3, word(bytes, position &+ 24))
      position &+= 32
    }
    hash =
      rotate(lanes.0, 1) &+ rotate(lanes.1, 7) &+ rotate(lanes.2, 12) &+ rotate(lanes.3, 18)
    hash = merge(hash, lanes.0)
    hash = merge(hash, lanes.1)
    hash = merge(hash, lanes.2)
    hash = merge(hash, lanes.3)
  } else {
    hash = seed &+ prime5
  }
  hash &+= UInt64(count)
  while position &+ 8 <= count {
    hash = rotate(hash ^ round(0, word(bytes, position)), 27) &* prime1 &+ prime4
    position &+= 8
  }
  if position &+ 4 <= count {
    let half = bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt32.self)
    hash = rotate(hash ^ (UInt64(UInt32(littleEndian: half)) &* prime1), 23) &* prime2 &+ prime3
    position &+= 4
  }
  while position < count {
    let byte = bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
    hash = rotate(hash ^ (UInt64(byte) &* prime5), 11) &* prime1
    position &+= 1
  }
  hash = (hash ^ (hash >> 33)) &* prime2
  hash = (hash ^ (hash >> 29)) &* prime3
  return hash ^ (hash >> 32)
}

private let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
private let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
private let prime3: UInt64 = 0x1656_67B1_9E37_79F9
private let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
private let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

@inline(__always)
private func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 {
  (value &<< bits) | (value &>> (64 &- bits))
}

@inline(__always)
private func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
  rotate(lane &+ input &* prime2, 31) &* prime1
}

@inline(__always)
private func merge(_ hash: UInt64, _ lane: UInt64) -> UInt64 {
  (hash ^ round(0, lane)) &* prime1 &+ prime4
}

@inline(__always)
private func word(_ bytes: RawSpan, _ offset: Int) -> UInt64 {
  UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
}
