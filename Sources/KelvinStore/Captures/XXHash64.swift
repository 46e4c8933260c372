internal import CLibXXHash

/// XXH64 of some bytes, by libxxhash: the checksum of blocks and summaries. It is what zstd's frames carry,
/// too, at about 10 GB/s; it protects from damage, not from malice.
func xxHash64(_ bytes: RawSpan, seed: UInt64 = 0) -> UInt64 {
  bytes.withUnsafeBytes { XXH64($0.baseAddress, $0.count, seed) }
}
