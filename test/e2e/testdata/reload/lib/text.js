exports.text = 'library';
