package sandbox

// OrientationOf is the parser that foreign bytes reach first.
var OrientationOf = orientationOf
