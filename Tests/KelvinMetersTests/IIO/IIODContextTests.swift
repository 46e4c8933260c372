import KelvinModel
import Testing

@testable import KelvinMeters

struct IIODContextTests {
  static let text = """
    <?xml version="1.0" encoding="utf-8"?><!DOCTYPE context [<!ELEMENT context (device)*><!ATTLIST \
    context name CDATA #REQUIRED>]><context name="local" description="Linux bench &lt;6.1&gt;" >\
    <device id="iio:device0" name="ina226" label="vdd" ><channel id="voltage1" name="bus" type="input" >\
    <scan-element index="1" format="le:U16/16&gt;&gt;0" scale="1.250000" /><attribute name="raw" \
    filename="in_voltage1_bus_raw" /></channel><channel id="altvoltage0" type="output" /><channel \
    id="timestamp" type="input" ><scan-element index="4" format="le:S64/64&gt;&gt;0" /></channel>\
    <attribute name="in_shunt_resistor" /><buffer-attribute name="watermark" /></device><device \
    id="trigger0" name="t0" ><attribute name="sampling_frequency" /></device></context>
    """

  @Test func readsWhatLibiioWrites() throws {
    let context = try IIODContext(Array(Self.text.utf8))
    #expect(context.description == "Linux bench <6.1>")
    #expect(context.triggers == ["t0": "trigger0"])
    let device = try #require(context.devices.first)
    #expect(context.devices.count == 1 && device.label == "vdd" && device.isShuntMonitor)
    #expect(device.channels.map(\.id) == ["voltage1", "altvoltage0", "timestamp"])
    #expect(device.elements.map(\.id) == ["voltage1"])
    #expect(device.elements.first?.scale == 1.25 && device.elements.first?.label == "bus")
    #expect(device.timestamp?.element?.index == 4)
  }

  @Test func refusesItWhereverItEnds() {
    let bytes = Array(Self.text.utf8)
    for length in 0..<bytes.count {
      #expect(throws: XMLElements.Failure.self) { try IIODContext(Array(bytes[..<length])) }
    }
  }

  /// Whatever a byte becomes, it is read or refused.
  @Test func survivesAnyByte() {
    let bytes = Array(Self.text.utf8)
    var refused = 0
    for place in bytes.indices {
      for value in [0, 0x3C, 0x26, 0xFF, 0x41] as [UInt8] {
        var spoilt = bytes
        spoilt[place] = value
        do throws(XMLElements.Failure) {
          let context = try IIODContext(spoilt)
          #expect(context.devices.allSatisfy { $0.id.isWord })
        } catch {
          refused += 1
        }
      }
    }
    #expect(refused > 1000)
  }

  @Test(arguments: [
    "<!DOCTYPE a [<!ENTITY x 'yyyyyyyy'>]><context><device id='&x;'/></context>",
    String(repeating: "<context>", count: 100), "<html></html>", "not XML at all"
  ])
  func refusesWhatNobodyNeeds(text: String) {
    #expect(throws: XMLElements.Failure.self) { try IIODContext(Array(text.utf8)) }
  }

  /// An id is a word of commands: it must not bring its own.
  @Test func leavesOutIdsThatAreNoWords() throws {
    let text =
      "<context><device id='iio:device0&#10;EXIT' name='a'/><device id='iio:device1'/></context>"
    #expect(try IIODContext(Array(text.utf8)).devices.map(\.id) == ["iio:device1"])
  }

  @Test func boundsTheNumberOfElements() {
    let text = "<context>" + String(repeating: "<device id='x'/>", count: 300) + "</context>"
    #expect(throws: XMLElements.Failure.self) { try XMLElements.read(Array(text.utf8), limit: 200) }
  }

  @Test func readsAndWritesMasks() throws {
    var mask = IIODMask(channels: 40)
    mask[0] = true
    mask[33] = true
    #expect(mask.text == "0000000200000001")
    #expect(IIODMask(mask.text) == mask)
    for text in ["", "1", "0000000g", "000000001", "+0000001"] { #expect(IIODMask(text) == nil) }
  }
}
