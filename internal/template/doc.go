// Package template reads CloudFormation templates from files and makes them whole: what they include is put in, loops are
// written out, SAM is expanded (package sam), nested stacks become part of the stack (package link), and the code of every
// function is found on this machine: a folder, an archive that is unpacked, or what the template carries inside. The result is
// one template as package control takes it.
//
// Its children know where tools leave templates: cdk what `cdk synth` makes, packaged what `serverless package` does.
// Callers are those and package project.
package template
