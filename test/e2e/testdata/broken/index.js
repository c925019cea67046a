exports.third = async () => ({ statusCode: 200 });
