const nobody = require('a-package-that-nobody-installed');

exports.handler = async () => nobody();
