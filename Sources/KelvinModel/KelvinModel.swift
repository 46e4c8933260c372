/// KelvinModel holds the values that every other room speaks in: outcomes and failures, states and
/// their transitions, quantities, option declarations, located configuration values, plans,
/// metrics and deadlines.
///
/// It must not know any other room, and does no I/O beyond reading a clock and waking a waiter.
enum KelvinModel {}
