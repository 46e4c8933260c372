/// KelvinSystem is what several rooms need of Linux: threads with names, processes that cannot be
/// mistaken for others, small files of /proc and /sys.
///
/// It must not know what any of it is used for.
enum KelvinSystem {}
