@main struct Kelvin { static func main() {} }
