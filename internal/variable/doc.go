// Package variable resolves the variables of project files, ${self:custom.name} and the like, as the Serverless Framework
// does: its syntax, its sources, its defaults. What only AWS or another tool could answer is not looked up; the command line
// can give it. Files of variables (.env) are read here too.
//
// A JavaScript file, ${file(x.js)}, is run by Node in a process of its own that lives until it has given its value, within
// bounds of time and size. Nothing else of a project is run. Callers are packages project and serverless.
package variable
