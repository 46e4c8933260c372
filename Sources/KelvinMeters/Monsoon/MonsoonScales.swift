/// What a Monsoon's own memory says of its current inputs, fixed when it was made.
package struct MonsoonScales: Sendable, Hashable {
  /// Main coarse, main fine, usb coarse, usb fine, aux coarse, aux fine.
  static let inputs = 6
  /// The current at the reference: in mA of coarse inputs, in µA of fine ones.
  package var references: [Double]
  /// Added to the zeros that are measured, in codes.
  package var zeros: [Double]

  /// Takes what the values of ``values(of:)`` are.
  ///
  /// The LVPM has shunts instead of scales, and no zeros. Its shunts are read as signed, as PyMonsoon's
  /// Operations.py describes them, though its LVPM.py reads them as unsigned.
  init(_ model: MonsoonModel, _ answers: [MonsoonValue: UInt32]) {
    func scale(_ value: MonsoonValue) -> Double { Double(value.part(answers[value] ?? 0)) }
    func zero(_ value: MonsoonValue) -> Double {
      Double(Int16(truncatingIfNeeded: answers[value] ?? 0))
    }
    func shunt(_ value: MonsoonValue, _ reference: Double) -> Double {
      let factory = 0.05
      let offset = Double(Int8(truncatingIfNeeded: answers[value] ?? 0))
      return reference * (factory / (factory + offset * 0.0001))
    }
    switch model {
    case .hvpm:
      references = [
        scale(.mainCoarseScale), scale(.mainFineScale), scale(.usbCoarseScale),
        scale(.usbFineScale), scale(.auxCoarseScale), scale(.auxFineScale)
      ]
      zeros = [
        zero(.mainCoarseZero), zero(.mainFineZero), zero(.usbCoarseZero), zero(.usbFineZero), 0, 0
      ]
    case .lvpm:
      let (coarse, fine) = (3103.4, 35_946.0)
      // PyMonsoon's factors for aux give currents of no sense: that site is not offered.
      references = [
        shunt(.mainCoarseResistor, coarse), shunt(.mainFineResistor, fine),
        shunt(.usbCoarseResistor, coarse), shunt(.usbFineResistor, fine), 0, 0
      ]
      zeros = [0, 0, 0, 0, 0, 0]
    }
  }

  /// What has to be asked for.
  static func values(of model: MonsoonModel) -> [MonsoonValue] {
    switch model {
    case .hvpm:
      [
        .mainCoarseScale, .mainFineScale, .usbCoarseScale, .usbFineScale, .auxCoarseScale,
        .auxFineScale, .mainCoarseZero, .mainFineZero, .usbCoarseZero, .usbFineZero
      ]
    case .lvpm: [.mainCoarseResistor, .mainFineResistor, .usbCoarseResistor, .usbFineResistor]
    }
  }
}
