/// KelvinSimulators are meters, boards and daemons that are not there, spoken to over real wires:
/// for tests, and for `kelvin simulate`.
///
/// It must not know the drivers that it is to test: it shares no codec and no constant with them.
enum KelvinSimulators {}
