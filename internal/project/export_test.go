package project

// CleatSettings is for the test that holds the schema to it.
var CleatSettings = cleatSettings
