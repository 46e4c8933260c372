// KelvinPatterns: regular expressions of users on bytes, bounded in what a match may cost.
//
// It must not know what is searched, or why.
